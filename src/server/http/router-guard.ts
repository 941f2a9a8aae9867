import type { AnyTRPCRouter } from '@trpc/server'
import type { OriginOptions } from './origin-check.js'
import { procedurePathOf } from './direct-call.js'
import { defaultLimits } from '../options/limits.js'
import { guardProcedures, procedureNames, type RequestLimits } from './request-guard.js'
import { hubOf } from '../procedures/router.js'

/** Returns a guard for all location procedures of a router, wherever they are mounted and whatever they are named. */
export const guardRouter = (router: AnyTRPCRouter, options: OriginOptions) =>
  guardProcedures((path) => limitsOf(path, router), options)

/** Returns the limits of a call to a location procedure; null for any other procedure. */
function limitsOf(call: string, router: AnyTRPCRouter): RequestLimits | null {
  const path = procedurePathOf(call, router)
  const { procedures, lazy } = router._def as unknown as Record<'procedures' | 'lazy', Record<string, object>>
  if (Object.hasOwn(procedures, path)) return hubOf(procedures[path]!)?.limits ?? null
  // A lazy router's procedures are unknown until its first call: until then only their names identify them.
  const [name = '', ...above] = path.split('.').toReversed()
  const isInLazyRouter = above.some((_, depth) => Object.hasOwn(lazy, above.slice(depth).toReversed().join('.')))
  return isInLazyRouter && procedureNames.includes(name) ? defaultLimits : null
}
