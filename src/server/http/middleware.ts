import type { AnyTRPCRouter, inferRouterContext } from '@trpc/server'
import type { HTTPBaseHandlerOptions, TRPCRequestInfo } from '@trpc/server/http'
import { backgroundClock } from '../../shared/background-clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Awaitable } from '../access/access-types.js'
import {
  assertOptions,
  isBoolean,
  isCount,
  isFunction,
  isPlainObject,
  isRouter,
  type OptionChecks,
} from '../options/option-checks.js'
import { defaultTiming } from '../options/timing.js'
import { warnOfLostProcedures } from '../procedures/lost-procedures.js'
import { hubOf } from '../procedures/router.js'
import { originOptionChecks, type OriginOptions } from './guard/origin-check.js'
import { RequestHandler } from './request-handler.js'
import { guardRouter } from './guard/call-owners.js'
import type { NodeRequest, NodeResponse } from './sink.js'
import { serveInOrder } from './pipelined-requests.js'
import type { AdapterOptions } from './trpc-fallback.js'
import { cutWhenUnread } from './unread-answers.js'

/** The parts of a request that the types of the middleware need: a request of `node:http`, `node:http2` or Express. */
export type HttpRequest = {
  method?: string | undefined
  url?: string | undefined
  headers: { [name: string]: string | string[] | undefined }
}
/** The part of a response that the types of the middleware need: a Node or Express response. */
export type HttpResponse = {
  statusCode: number
  /** Sets a header of the answer. */
  setHeader(name: string, value: string): unknown
}

/** The options of tRPC's `createExpressMiddleware`, and those of the request guard. */
export type LocationMiddlewareOptions<
  R extends AnyTRPCRouter,
  Req = HttpRequest,
  Res = HttpResponse,
> = HTTPBaseHandlerOptions<R, Req> &
  OriginOptions & {
    /**
     * `false` disables the request guard for location procedures, for an app that has CSRF protection and size limits of its
     * own. Default: true, the guard of `createLocationServer`.
     */
    requestGuard?: boolean
    /** Creates the tRPC context. Default: no context. */
    createContext?: (options: { req: Req; res: Res; info: TRPCRequestInfo }) => Awaitable<inferRouterContext<R>>
    /**
     * The largest body of a request, in bytes. Default: no limit. It does not apply to a body that an earlier
     * middleware has parsed.
     */
    maxBodySize?: number
    /**
     * Sends location streams as gzip to clients that accept it. Each frame is compressed once for all subscribers. Default:
     * false. docs/deploying.md describes savings, cost and risk.
     */
    compress?: boolean
    /** A connect-style middleware that runs first, such as `cors()`. */
    middleware?: (req: Req, res: Res, next: (error?: unknown) => void) => void
  }

/**
 * Serves a router with the same bytes as tRPC's `createExpressMiddleware`, but sends location streams without the Fetch
 * API: each frame is encoded once and written to every socket. Works with Express, `node:http` and frameworks built on
 * them. Requests that call a location procedure pass the request guard of `createLocationServer` first: pages of other
 * origins are refused, and a request that calls only location procedures may have at most `limits.bodyBytes` bytes and
 * `limits.batch` calls. All other procedures of the router behave as with tRPC.
 *
 * ```ts
 * app.use('/trpc', createLocationMiddleware({ router: appRouter, createContext }))
 * ```
 *
 * A location procedure that the router has lost, by a spread for example, is named in a warning of the hub's logger.
 *
 * @throws LocationError `misconfigured` for an unknown or wrong option; the message names it.
 */
export function createLocationMiddleware<R extends AnyTRPCRouter, Req = HttpRequest, Res = HttpResponse>(
  options: LocationMiddlewareOptions<R, Req, Res>,
): (req: Req, res: Res) => void {
  assertOptions('createLocationMiddleware', options, middlewareOptionChecks)
  if (!('router' in options) || options.router === undefined)
    throw new LocationError('misconfigured', 'createLocationMiddleware needs router: pass the router to serve.')
  warnOfLostProcedures(options.router)
  const { middleware, compress = false, requestGuard = true, ...rest } = options
  const handler = new RequestHandler(rest as unknown as AdapterOptions, compress)
  const guard = requestGuard ? guardRouter(options.router, options) : () => Infinity
  const handle = (request: NodeRequest, response: NodeResponse) => {
    const bodyBytes = guard(request, response)
    if (bodyBytes !== null) handler.handle(request, response, bodyBytes)
  }
  const run = (request: NodeRequest, response: NodeResponse) => {
    const { clock, timing } = firstHubOf(options.router) ?? { clock: backgroundClock, timing: defaultTiming }
    cutWhenUnread(response, clock, timing)
    if (!middleware) return handle(request, response)
    try {
      middleware(request as Req, response as Res, (error) =>
        error ? handler.answerError(request, response, error) : handle(request, response),
      )
    } catch (thrown) {
      handler.answerThrown(request, response, thrown)
    }
  }
  return (req, res) => {
    // The public types are structural, so that they need no types of Node.
    const [request, response] = [req as NodeRequest, res as NodeResponse]
    serveInOrder(request, response, () => run(request, response))
  }
}

/**
 * The checks of all options, tRPC's own included. An option that this version does not know is refused: the fast path
 * would ignore it.
 */
const middlewareOptionChecks: OptionChecks<LocationMiddlewareOptions<AnyTRPCRouter>> = {
  router: isRouter,
  requestGuard: isBoolean,
  createContext: isFunction,
  maxBodySize: isCount(1),
  compress: isBoolean,
  middleware: isFunction,
  onError: isFunction,
  responseMeta: isFunction,
  batching: isPlainObject('an object, such as { enabled: false }'),
  allowBatching: isBoolean,
  allowMethodOverride: isBoolean,
  maxBatchSize: isCount(1),
  ...originOptionChecks,
}

/**
 * Returns the hub of a router's location procedures; undefined while they are in a lazy router that is not loaded yet.
 */
export function firstHubOf(router: AnyTRPCRouter) {
  let hub = firstHubs.get(router)
  if (hub) return hub
  hub = Object.values(router._def.procedures as Record<string, object>)
    .map(hubOf)
    .find((each) => each !== undefined)
  if (hub) firstHubs.set(router, hub)
  return hub
}

const firstHubs = new WeakMap<AnyTRPCRouter, NonNullable<ReturnType<typeof hubOf>>>()
