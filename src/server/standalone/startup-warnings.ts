import { isLoopbackAddress } from '../http/guard/origin-check.js'
import { defaultLimits, type Limits } from '../options/limits.js'
import type { Timing } from '../options/timing.js'

type StartedServer = {
  /** The address that the server listens on. */
  address: string
  /** True if `anonymous` is set without `authorize`. */
  isOpenToAll: boolean
  origins?: readonly string[] | undefined
  /** The folder of the option `static`, if it has no `index.html`. */
  emptyFolder?: string | null
  limits: Limits
  timing: Timing
}

/**
 * Returns one sentence for each option that weakens a default. The sentence says what the option allows, and what to
 * do.
 */
export function startupWarnings({
  address,
  isOpenToAll,
  origins = [],
  emptyFolder = null,
  limits,
  timing,
}: StartedServer): string[] {
  const warnings = []
  if (isOpenToAll && !isLoopbackAddress(address))
    warnings.push(
      'anonymous: anybody who reaches this server may watch every room and post in it; set authorize() to restrict this.',
    )
  if (emptyFolder !== null)
    warnings.push(`static: there is no index.html in ${emptyFolder}: build the page, or correct the path.`)
  for (const origin of origins)
    if (origin.startsWith('http:') && !/^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(origin))
      warnings.push(`origins: ${origin} is not encrypted: anybody on the network path can act as its pages; use https.`)
  for (const [name, limit] of Object.entries(limits)) {
    const usual = defaultLimits[name as keyof Limits]
    if (!(limit <= usual)) warnings.push(`limits.${name} is ${limit}; the default is ${usual}.`)
  }
  if (timing.requestMs >= timing.tombstoneMs)
    warnings.push('timing.requestMs is not below tombstoneMs: a slow request may bring back a connection that left.')
  if (timing.recheckMs > 60_000)
    warnings.push(`timing.recheckMs is ${timing.recheckMs}: a revoked right may stay in effect for as long.`)
  return warnings
}
