import { isLoopbackAddress } from '../http/origin-check.js'
import { defaultLimits, type Limits } from '../options/limits.js'
import type { Timing } from '../options/timing.js'

type Booted = {
  /** The address that the server listens on. */
  address: string
  isOpenToAll: boolean
  /** Whoever is at the other end of a connection is taken for the caller: nobody said `clientIp`. */
  countsPeers: boolean
  origins?: readonly string[] | undefined
  limits: Limits
  timing: Timing
}

/** A sentence for each default that was weakened: what anybody may do now, or how much more of it. */
export function startupWarnings({ address, isOpenToAll, countsPeers, origins = [], limits, timing }: Booted): string[] {
  const warnings = []
  if (isOpenToAll && !isLoopbackAddress(address))
    warnings.push(
      'anonymous: whoever reaches this server may watch every room and post in it; authorize() would say who may.',
    )
  if (countsPeers)
    warnings.push(
      'clientIp: callers from this machine and from private networks are not limited by address; behind a proxy, clientIp says who called.',
    )
  for (const origin of origins)
    if (origin.startsWith('http:') && !/^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(origin))
      warnings.push(`origins: ${origin} is not encrypted: whoever is on the way can act as its pages.`)
  for (const [name, limit] of Object.entries(limits)) {
    const usual = defaultLimits[name as keyof Limits]
    if (!(limit <= usual)) warnings.push(`limits.${name} is ${limit}; the default is ${usual}.`)
  }
  if (timing.requestMs >= timing.tombstoneMs)
    warnings.push('timing.requestMs is not below tombstoneMs: a request that takes long may bring back who has left.')
  if (timing.recheckMs > 60_000) warnings.push(`timing.recheckMs is ${timing.recheckMs}: rights may be that old.`)
  return warnings
}

/** The two of Node's timeouts that bound a request; 0 is none. */
export type ServerTimeouts = { headersTimeout?: number; requestTimeout?: number }

/** Node waits for up to five minutes: a sentence, if a server that we are given waits longer than it should. */
export function serverWarning(
  { headersTimeout, requestTimeout }: ServerTimeouts,
  { requestMs, tombstoneMs }: Pick<Timing, 'requestMs' | 'tombstoneMs'>,
): string | null {
  const isTooLong = (ms: number | undefined) => ms !== undefined && (ms === 0 || ms >= tombstoneMs)
  if (isTooLong(requestTimeout))
    return `server.requestTimeout is ${requestTimeout}: a request that takes longer than ${tombstoneMs} ms may bring back who has left; set it to ${requestMs}.`
  if (headersTimeout === 0) return 'server.headersTimeout is 0: a head that never ends holds its socket for ever.'
  return null
}
