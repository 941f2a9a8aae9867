import type { AnyTRPCRouter } from '@trpc/server'
import type { OriginOptions } from './origin-check.js'
import { pathOf } from './direct-call.js'
import { defaultLimits } from '../options/limits.js'
import { doorsOf, procedureNames, type GuardBounds } from './request-guard.js'
import { hubOf } from '../procedures/router.js'

/** The doors in front of the procedures of ours that a router has, wherever it has them and whatever it calls them. */
export const routerDoors = (router: AnyTRPCRouter, options: OriginOptions) =>
  doorsOf((call) => boundsOf(call, router), options)

/** What a request may hold for a call of ours; `null`: it is none. */
function boundsOf(call: string, router: AnyTRPCRouter): GuardBounds | null {
  const path = pathOf(call, router)
  const { procedures, lazy } = router._def as unknown as Record<'procedures' | 'lazy', Record<string, object>>
  if (Object.hasOwn(procedures, path)) return hubOf(procedures[path]!)?.limits ?? null
  // Part of a router that is loaded when it is asked for: before that, names are all there is to tell by.
  const [name = '', ...above] = path.split('.').toReversed()
  const isLoadedLater = above.some((_, depth) => Object.hasOwn(lazy, above.slice(depth).toReversed().join('.')))
  return isLoadedLater && procedureNames.includes(name) ? defaultLimits : null
}
