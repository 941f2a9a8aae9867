import type { AnyTRPCProcedure, AnyTRPCRouter } from '@trpc/server'
import { hubOf } from '../../procedures/router.js'
import { defaultLimits } from '../../options/limits.js'
import { procedurePathOf } from '../direct-call.js'
import type { OriginOptions } from './origin-check.js'
import { guardProcedures, type CallOwner } from './call-limits.js'
import { readTarget } from './request-target.js'

/** The default names of the location procedures. */
export const procedureNames = [
  'postLocation',
  'onLocation',
  'getLocations',
  'countMembers',
  'leaveRoom',
  'broadcastToRoom',
  'lockLocation',
  'unlockLocation',
]

/** Returns true for the default name of a location procedure whose answer may be large. */
export const isQueryName = (name: string) => name === 'getLocations' || name === 'countMembers'

/** Returns a guard for all location procedures of a router, wherever they are mounted and whatever they are named. */
export const guardRouter = (router: AnyTRPCRouter, options: OriginOptions) =>
  guardProcedures(({ url }) => readTarget(url).calls.map((call) => ownerIn(router, call)), options)

/** Returns the owner of a call in a router. */
export function ownerIn(router: AnyTRPCRouter, call: string): CallOwner {
  const path = procedurePathOf(call, router)
  const { procedures, lazy } = recordsOf(router)
  if (Object.hasOwn(procedures, path)) {
    const procedure = procedures[path]!
    const limits = hubOf(procedure)?.limits
    return limits ? { limits, isQuery: procedure._def.type === 'query' } : 'app'
  }
  // A lazy router's procedures are unknown until its first call: until then only their names identify them.
  const [name = '', ...above] = path.split('.').toReversed()
  const isInLazyRouter = above.some((_, depth) => Object.hasOwn(lazy, above.slice(depth).toReversed().join('.')))
  if (!isInLazyRouter) return 'none'
  return procedureNames.includes(name) ? { limits: defaultLimits, isQuery: isQueryName(name) } : 'app'
}

/** Returns the paths of the location procedures of a router, without those of lazy routers that are not loaded yet. */
export const locationPathsOf = (router: AnyTRPCRouter): string[] =>
  Object.entries(recordsOf(router).procedures).flatMap(([path, procedure]) => (hubOf(procedure) ? [path] : []))

/** Returns whether a router has lazy routers that are not loaded yet. */
export const hasLazyRouters = (router: AnyTRPCRouter): boolean => Object.keys(recordsOf(router).lazy).length > 0

const recordsOf = (router: AnyTRPCRouter) =>
  router._def as unknown as { procedures: Record<string, AnyTRPCProcedure>; lazy: Record<string, object> }
