import type { AnyTRPCRouter } from '@trpc/server'
import { LocationError } from '../../../shared/errors.js'
import { backgroundClock } from '../../../shared/background-clock.js'
import { defaultLimits, limitRanges, type Limits } from '../../options/limits.js'
import { mergeNumbers } from '../../options/number-options.js'
import {
  assertOptions,
  checkedElsewhere,
  isPlainObject,
  isRouter,
  type OptionChecks,
} from '../../options/option-checks.js'
import { defaultTiming } from '../../options/timing.js'
import type { GuardRequest, GuardResponse } from './request-check.js'
import { originOptionChecks, type OriginOptions } from './origin-check.js'
import { serveInOrder } from '../pipelined-requests.js'
import { guardProcedures, type CallOwner, type RequestLimits } from './call-limits.js'
import { callsIn, possiblePaths, readTarget } from './request-target.js'
import { hasLazyRouters, isQueryName, locationPathsOf, ownerIn, procedureNames } from './call-owners.js'
import type { NodeRequest, NodeResponse } from '../sink.js'
import { cutWhenUnread } from '../unread-answers.js'

export type { GuardRequest, GuardResponse } from './request-check.js'

/** The options of `createRequestGuard`. */
export type RequestGuardOptions = OriginOptions & {
  /**
   * The path of the location procedures in the app's router: `locations` for `router({ locations: ... })`, '' at the
   * top. Default: `locations`.
   */
  path?: string
  /**
   * The app's router. With it, the guard finds the location procedures itself, whatever their names, and a `path`
   * without location procedures is an error. Default: the guard goes by `path` and the default names of the procedures.
   */
  router?: AnyTRPCRouter
  /** Limits of a request that calls only location procedures: bytes of its body, calls of a batch, depth of its input. Each has a default. */
  limits?: Partial<Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>>
}

/**
 * Returns the request guard of `createLocationServer` as a connect-style middleware, for location procedures that are
 * merged into an app's own router and served by a tRPC adapter. `createLocationMiddleware` has the guard built in. Mount
 * it in front of the adapter, before or after `express.json()`, or pass it as the adapter's own `middleware` option:
 *
 * ```ts
 * app.use('/trpc', createRequestGuard({ router, origins: ['https://app.example'] }), createExpressMiddleware({ router, createContext }))
 * ```
 *
 * Requests that call only the app's own procedures pass unchanged, and so do all other requests.
 *
 * @throws LocationError `misconfigured` when an option is wrong, or when `path` names no location procedure of `router`.
 */
export function createRequestGuard(given: RequestGuardOptions = {}) {
  assertOptions('createRequestGuard', given, guardOptionChecks)
  const { path, router, limits, ...options } = given
  const { bodyBytes, batch, depth } = defaultLimits
  const requestLimits = mergeNumbers({ bodyBytes, batch, depth }, limits, 'limits', limitRanges)
  if (path !== undefined) assertPath(path)
  if (router) assertLocationsIn(router, path)
  const ownersOf = router
    ? ownersByRouter(router, limits && requestLimits)
    : ownersByName(path ?? 'locations', requestLimits)
  const guard = guardProcedures(ownersOf, options)
  return (request: GuardRequest, response: GuardResponse, next: (error?: unknown) => void): void => {
    if (ownersOf(request).every((owner) => owner === 'app')) return next()
    // The public types are structural, so that they need no types of Node.
    const nodeRequest = request as unknown as NodeRequest
    const nodeResponse = response as unknown as NodeResponse
    serveInOrder(nodeRequest, nodeResponse, () => {
      cutWhenUnread(nodeResponse, backgroundClock, defaultTiming)
      if (guard(request, response) !== null) next()
    })
  }
}

/** `path` is checked later, together with the router. */
const guardOptionChecks: OptionChecks<RequestGuardOptions> = {
  path: checkedElsewhere,
  router: isRouter,
  limits: isPlainObject('an object of numbers, such as { batch: 4 }'),
  ...originOptionChecks,
}

/** Checks that `path` has the form of a path in a router, such as `locations`. */
function assertPath(path: unknown): void {
  if (typeof path === 'string' && /^([\w$-]+(\.[\w$-]+)*)?$/.test(path)) return
  throw new LocationError(
    'misconfigured',
    `path is "${String(path)}": write the path of the location procedures in the router, such as "locations", or "" at the top.`,
  )
}

/** Checks that a router has location procedures: under `path`, if it is given. */
function assertLocationsIn(router: AnyTRPCRouter, path: string | undefined): void {
  const above = locationPathsOf(router).map((each) => each.split('.').slice(0, -1).join('.'))
  if (hasLazyRouters(router) || (path === undefined ? above.length > 0 : above.includes(path))) return
  const where = path === undefined ? '' : ` at path "${path}"`
  throw new LocationError(
    'misconfigured',
    `router has no location procedures${where}: merge createLocationRouter() into it.`,
  )
}

type OwnersOf = (request: GuardRequest) => CallOwner[]

/** @param limits the limits to use in place of those of the hubs. */
function ownersByRouter(router: AnyTRPCRouter, limits: RequestLimits | undefined): OwnersOf {
  const ownerOf = (call: string): CallOwner => {
    const owner = ownerIn(router, call)
    return typeof owner === 'string' || !limits ? owner : { ...owner, limits }
  }
  const names = () => [...locationPathsOf(router), ...(hasLazyRouters(router) ? procedureNames : [])]
  return ownersBy(ownerOf, names, limits ?? defaultLimits)
}

function ownersByName(path: string, limits: RequestLimits): OwnersOf {
  const names = procedureNames.map((name) => (path === '' ? name : `${path}.${name}`))
  const warn = warnOfWrongPath(path)
  return ownersBy(
    (call) => {
      const normal = normalPath(call)
      const isOurs = names.includes(normal)
      warn(normal, isOurs)
      return isOurs ? { limits, isQuery: isQueryName(normal.slice(normal.lastIndexOf('.') + 1)) } : 'app'
    },
    () => names,
    limits,
  )
}

/**
 * Returns the owners of a request's calls for a guard that does not know the adapter behind it. When any adapter may
 * find a location procedure in the request target, all calls of the request count as calls of location procedures.
 */
function ownersBy(ownerOf: (call: string) => CallOwner, names: () => string[], limits: RequestLimits): OwnersOf {
  return (request) => {
    const { url, originalUrl } = request
    const owners = readTarget(url).calls.map(ownerOf)
    if (owners.some((owner) => typeof owner !== 'string')) return owners
    // tRPC's adapter for Express reads the calls from the last segment. The standalone adapter cuts off as many
    // characters as its base path has.
    const isLastSegment = originalUrl !== undefined
    const isOurs = (path: string) => {
      const calls = callsIn(isLastSegment ? path.slice(path.lastIndexOf('/') + 1) : path).map(normalPath)
      return calls.some((call) => names().some((name) => (isLastSegment ? call === name : call.endsWith(name))))
    }
    return possiblePaths(url).some(isOurs) ? owners.map(() => ({ limits, isQuery: true })) : owners
  }
}

/** Writes the path of a call with dots, whatever separator the router has. */
const normalPath = (call: string) => call.replace(/[^\w$-]/g, '.')

/**
 * Returns a function that warns once when the guard's `path` is probably wrong: a call with the default name of a
 * location procedure passes unguarded, and the guard has matched no call before.
 */
function warnOfWrongPath(path: string) {
  let isSettled = false
  return (call: string, isOurs: boolean): void => {
    const name = call.slice(call.lastIndexOf('.') + 1)
    if (isSettled || !(isOurs || name === 'postLocation' || name === 'onLocation')) return
    isSettled = true
    if (isOurs) return
    process.emitWarning(
      `createRequestGuard guards the procedures of "${path}", but ${call} was called and is not guarded: correct path, or pass router.`,
      { code: 'HEREABOUTS_UNGUARDED' },
    )
  }
}
