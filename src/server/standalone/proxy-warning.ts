import type { IncomingMessage } from 'node:http'

const advice =
  'clientIp: not set, so callers from this machine and from private networks are not limited by address; behind a proxy, set clientIp.'

/** The headers by which a proxy tells whose request it passes on. */
const proxyHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']

/** Warns once, when it is known that a proxy may be in front of a server without `clientIp`. */
export interface ProxyWarning {
  /** A server that listens on loopback only is either behind a proxy or used on this machine alone: requests will tell. */
  listening(isLoopback: boolean): void
  /** Looks for the header of a proxy in a request. */
  requested(request: Pick<IncomingMessage, 'headers'>): void
}

export function warnAboutProxies(warn: (message: string) => void): ProxyWarning {
  let isDone = false
  const once = () => {
    if (!isDone) warn(advice)
    isDone = true
  }
  return {
    listening: (isLoopback) => void (isLoopback || once()),
    requested({ headers }) {
      if (!isDone && proxyHeaders.some((name) => headers[name] !== undefined)) once()
    },
  }
}
