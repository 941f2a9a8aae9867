import type { IncomingMessage } from 'node:http'

const advice =
  'clientIp: not set, so callers from this machine and from private networks are not limited by address; behind a proxy, set clientIp.'

/** The headers in which proxies describe the client of a request that they forward. */
const proxyHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']

/** Warns once, when it is known that a proxy may be in front of a server without `clientIp`. */
export interface ProxyWarning {
  /**
   * Called when the server listens. Warns at once unless it listens on loopback only: such a server is either behind a
   * proxy or used only on this machine, and the headers of its requests will show which.
   */
  listening(isLoopback: boolean): void
  /** Called with each request. Warns when the request has a header that proxies add. */
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
