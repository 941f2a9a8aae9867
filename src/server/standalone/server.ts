import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, resolve } from 'node:path'
import {
  initTRPC,
  type AnyTRPCRouter,
  type TRPCBuiltRouter,
  type TRPCError,
  type TRPCProcedureBuilder,
  type TRPCRouterRecord,
  type TRPCUnsetMarker,
} from '@trpc/server'
import { closeAll } from '../../shared/close-all.js'
import { LocationError } from '../../shared/errors.js'
import type { memberProfile } from '../../shared/locations.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type {
  LocksOption,
  OptionalBroadcasts,
  OptionalOut,
  OptionalSchema,
  Schema,
  SchemaTypes,
} from '../../shared/schema-types.js'
import { accessOptionChecks } from '../access/access-options.js'
import type { Access } from '../access/access-types.js'
import { guardRequest } from '../http/guard/request-check.js'
import { isLoopbackAddress, originOptionChecks, originRulesOf, type OriginOptions } from '../http/guard/origin-check.js'
import { serveInOrder } from '../http/pipelined-requests.js'
import { jsonLinesRefusal } from '../http/guard/call-limits.js'
import { RequestHandler } from '../http/request-handler.js'
import { readTarget } from '../http/guard/request-target.js'
import { ownerIn, procedureNames } from '../http/guard/call-owners.js'
import { idleTimeoutMs, nodeTimeouts } from '../http/server-timeouts.js'
import type { AdapterOptions } from '../http/trpc-fallback.js'
import { cutWhenUnread } from '../http/unread-answers.js'
import { Hub, type LocationHub } from '../hub/hub.js'
import { hubOptionChecks, type HubOptions } from '../hub/hub-options.js'
import {
  assertOptions,
  checkedElsewhere,
  isBoolean,
  isSyncFunction,
  type OptionCheck,
  type OptionChecks,
} from '../options/option-checks.js'
import type { ClientIp } from '../procedures/procedures.js'
import { consoleLogger, type Logger } from '../options/logger.js'
import { locationRecord, type LocationRecord } from '../procedures/router.js'
import {
  locationErrorIn,
  retryAfterMsOf,
  withRetryAfterMs,
  type LocationErrorShape,
} from '../procedures/trpc-errors.js'
import { EventLoopLag } from './event-loop-lag.js'
import { ServerPort } from './listen.js'
import { warnAboutProxies } from './proxy-warning.js'
import { contextOf, setRetryAfter } from './request-context.js'
import type { ServerContext } from './server-context.js'
import { limitSockets, openFilesLimit, socketsWithin } from './socket-limit.js'
import { startupWarnings } from './startup-warnings.js'
import { createWebApp, emptyFolderOf } from './web-app.js'
import type { LocationWebSocketHandler, LocationWebSocketOptions } from '../websocket/handler.js'

/** No procedures beside the location procedures. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- an intersection with it adds nothing
export type NoProcedures = Record<never, never>

/** The router of a server: the location procedures, and those of the option `procedures`. The type of `server.router`. */
export type LocationRouter<T extends RoomTypes, R extends TRPCRouterRecord = NoProcedures> = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: LocationErrorShape; transformer: false },
  LocationRecord<T> & R
>

/** The argument of the option `procedures`: the hub, and the base procedure of the server's router. */
export interface ProcedureTools<T extends RoomTypes> {
  /** The hub of the server: its rooms, locks and broadcasts. */
  hub: LocationHub<T>
  /** A base procedure, whose context is the `ServerContext` of the request. */
  procedure: TRPCProcedureBuilder<
    ServerContext,
    object,
    object,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    TRPCUnsetMarker,
    false
  >
}

/** The options of `createLocationServer`: those of the hub, of access, of origins, and of the HTTP server. */
export type LocationServerOptions<
  SL extends Schema,
  SP extends OptionalSchema,
  LK extends LocksOption = LocksOption,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = OptionalBroadcasts,
  R extends TRPCRouterRecord = TRPCRouterRecord,
> = HubOptions<SL, SP, LK, SV, SB> &
  Access<ServerContext, NoInfer<OptionalOut<SP>>> &
  OriginOptions & {
    /**
     * A folder of files to serve beside the procedures. Their content security policy allows only resources of the same
     * origin, and images over https.
     */
    static?: string
    /**
     * Sends streams as gzip to clients that accept it. Each frame is compressed once for all subscribers. Default: false.
     * docs/deploying.md describes savings, cost and risk.
     */
    compress?: boolean
    /**
     * Serves WebSockets too, at the path `/trpc`, for clients with `hereabouts/client/websocket` and for tRPC's `wsLink`. The
     * package `ws` must be installed. Default: false.
     */
    webSocket?: boolean
    /**
     * The time that an idle connection stays open, in milliseconds. Behind a load balancer it must be longer than the
     * balancer's own idle timeout: otherwise the balancer may send a request over a connection that the server is
     * closing, and the request is lost. Default: 70,000.
     */
    keepAliveMs?: number
    /**
     * Returns the address of the caller's machine, for limits by address. Behind a proxy: the address that your proxy
     * vouches for, such as the last entry of `x-forwarded-for`, never one that the caller wrote. Default: `ctx.ip`.
     */
    clientIp?: ClientIp<ServerContext>
    /**
     * Returns procedures of your own, which the server serves beside the location procedures: for example a mutation that saves
     * what a lock guards. The names of the location procedures are reserved. Rate limits do not apply to your own.
     * Default: none.
     *
     * ```ts
     * procedures: ({ procedure }) => ({ time: procedure.query(() => Date.now()) })
     * ```
     */
    procedures?: (tools: ProcedureTools<SchemaTypes<SL, SP, LK, SV, SB>>) => R
  }

/** Refuses an empty path, which Express takes for the working folder with all of the app's source, and the root. */
const isFolder: OptionCheck = (value) =>
  typeof value === 'string' && value !== '' && dirname(resolve(value)) !== resolve(value)
    ? null
    : 'the path of a folder of public files, and not the root: "dist"'

const serverOptionChecks: OptionChecks<LocationServerOptions<Schema, OptionalSchema, LocksOption, OptionalSchema>> = {
  ...hubOptionChecks,
  ...accessOptionChecks,
  ...originOptionChecks,
  static: isFolder,
  compress: isBoolean,
  webSocket: isBoolean,
  keepAliveMs: checkedElsewhere,
  clientIp: isSyncFunction,
  procedures: isSyncFunction,
}

/** `url` is the address of the pages; `trpcUrl` is the address that clients take as `url`. */
export type ListeningAt = { url: string; trpcUrl: string }

/** An HTTP server with a location router, and the procedures of the option `procedures`. */
export interface LocationServer<T extends RoomTypes, R extends TRPCRouterRecord = NoProcedures> {
  router: LocationRouter<T, R>
  hub: LocationHub<T>
  /**
   * Serves the procedures under `/trpc`, and the health checks `/livez` and `/readyz`. Default port: 3000; port 0 chooses a
   * free one. Default host: 127.0.0.1.
   *
   * @throws LocationError `misconfigured` when the port is taken or may not be used (`cause.code` is Node's error code),
   * the server listens already, or the backend is unusable; `closed` after `close()`.
   */
  listen(port?: number, host?: string): Promise<ListeningAt>
  /**
   * Ends all streams and closes the server at once. To let clients reconnect elsewhere first, call `hub.drain()`, or
   * use `drainOnSignals(server)`. Rejects with the first error, such as that of a backend, once everything is closed.
   */
  close(): Promise<void>
}

/**
 * The largest message of a WebSocket client, in bytes. When a client reconnects, all of its subscriptions fit into one
 * message.
 */
const maxMessageBytes = 256 * 1024

/** The event loop lag above which `/readyz` answers `late`, so that the process is sent no new clients. */
const lateMs = 1_000

/**
 * Creates a complete server: the hub, the procedures under `/trpc`, health checks, and static files.
 *
 * ```ts
 * const server = createLocationServer({ location: cellLocation, anonymous: true })
 * await server.listen(3000)
 * ```
 *
 * @throws LocationError `misconfigured`
 */
export function createLocationServer<
  SL extends Schema,
  SP extends OptionalSchema = typeof memberProfile,
  const LK extends LocksOption = false,
  SV extends OptionalSchema = false,
  SB extends OptionalBroadcasts = undefined,
  R extends TRPCRouterRecord = NoProcedures,
>(options: LocationServerOptions<SL, SP, LK, SV, SB, R>): LocationServer<SchemaTypes<SL, SP, LK, SV, SB>, R> {
  // Options are checked first: a hub that was created and not returned could not be closed.
  assertOptions('createLocationServer', options, serverOptionChecks)
  const originRules = originRulesOf(options)
  const keepAliveMs = idleTimeoutMs(options.keepAliveMs)
  const hub = new Hub<SchemaTypes<SL, SP, LK, SV, SB>>({
    ...(options as unknown as HubOptions<Schema, OptionalSchema, LocksOption, OptionalSchema>),
    logger: options.logger ?? consoleLogger,
  })
  const { limits, timing, logger } = hub
  const { bodyBytes } = limits
  const router = routerFor(hub, options)
  const procedures = proceduresFor(router, hub, options.compress)
  const callsOf = ({ url }: IncomingMessage) =>
    readTarget(url)
      .calls.map((call) => ownerIn(router, call))
      .filter((owner) => typeof owner !== 'string')
  const loop = new EventLoopLag(hub.clock)
  const readiness = () => {
    const health = hub.health()
    return health === 'ready' && loop.lagMs > lateMs ? 'late' : health
  }
  // With `clientIp`, the app itself returns the addresses of callers, so no warning about proxies is needed.
  const proxies = options.clientIp ? undefined : warnAboutProxies((message) => logger.warn(message))
  const webApp = createWebApp({ folder: options.static, readiness, logger })
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    proxies?.requested(request)
    cutWhenUnread(response, hub.clock, timing)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    // Requests under `/trpc` bypass Express, which costs more for each response than a whole post.
    if (!/^\/trpc(?=[/?]|$)/.test(request.url ?? '')) webApp(request, response)
    else if (
      guardRequest(request, response, originRules, {
        bodyBytes,
        check: () => jsonLinesRefusal(request, () => callsOf(request)),
      })
    )
      procedures.handle(request, response, bodyBytes)
  }
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    serveInOrder(request, response, () => answer(request, response))
  const server = createServer(nodeTimeouts(timing, keepAliveMs), serve)
  limitSockets(server, Math.min(limits.sockets, socketsWithin(openFilesLimit())), hub)

  const serverPort = new ServerPort(server)
  let closing: Promise<void> | undefined
  let sockets: LocationWebSocketHandler | undefined
  const assertOpen = () => {
    if (closing) throw new LocationError('closed', 'This server was closed: create a new one.')
  }
  return {
    router: router as unknown as LocationRouter<SchemaTypes<SL, SP, LK, SV, SB>, R>,
    hub,
    async listen(port = 3000, host = '127.0.0.1') {
      assertOpen()
      await hub.ready()
      const createSockets = options.webSocket ? await loadSockets() : undefined
      // Nothing may be opened once close() has begun: it would stay open.
      assertOpen()
      if (createSockets) sockets ??= createSockets(socketOptions(server, router, hub, options))
      const url = await serverPort.listen(port, host)
      assertOpen()
      loop.start()
      const { address } = server.address() as AddressInfo
      const isOpenToAll = options.anonymous === true && !options.authorize
      const origins = [...(originRules.origins ?? [])]
      const emptyFolder = emptyFolderOf(options.static)
      for (const warning of startupWarnings({ address, isOpenToAll, origins, emptyFolder, limits, timing }))
        logger.warn(warning)
      proxies?.listening(isLoopbackAddress(address))
      return { url, trpcUrl: `${url}/trpc` }
    },
    close: () =>
      (closing ??= closeAll([() => loop.stop(), () => hub.close(), () => sockets?.close(), () => serverPort.close()])),
  }
}

type RouterOptions<T extends RoomTypes> = Pick<LocationServerOptions<Schema, false>, 'clientIp'> & {
  procedures?: (tools: ProcedureTools<T>) => TRPCRouterRecord
}

/** Returns a tRPC router with the location procedures of a hub, and those of the app. */
function routerFor<T extends RoomTypes>(hub: Hub<T>, options: RouterOptions<T>) {
  const t = initTRPC.context<ServerContext>().create({
    // Clients must not see stack traces.
    isDev: false,
    errorFormatter: ({ shape, error }) => withRetryAfterMs(shape, error),
    // Makes tRPC's own client leave a dead stream too. The time is longer than the 2.5 heartbeat intervals after which
    // the client of this package reconnects.
    sse: { client: { reconnectAfterInactivityMs: 3 * hub.timing.beatMs } },
  })
  const access = options as unknown as Access<ServerContext, unknown>
  const clientIp = options.clientIp ?? (({ ctx }) => ctx.ip)
  const record = locationRecord({ hub, procedure: t.procedure, ...access, clientIp })
  try {
    const own = options.procedures?.({ hub, procedure: t.procedure }) ?? {}
    const taken = Object.keys(own).find((name) => name in record)
    if (taken !== undefined)
      throw new LocationError('misconfigured', `procedures: ${taken} is a location procedure: choose another name.`)
    return t.router({ ...record, ...own })
  } catch (error) {
    // The hub is closed here: the caller gets no server, and could not close it.
    void hub.close()
    throw error
  }
}

function proceduresFor(router: AnyTRPCRouter, { limits, logger }: Pick<Hub, 'limits' | 'logger'>, compress = false) {
  const logFailure = failureLogger(logger)
  const options: AdapterOptions = {
    router,
    createContext: async ({ req, res }) => contextOf(req as IncomingMessage, res as ServerResponse),
    maxBatchSize: limits.batch,
    onError(failure) {
      const retryAfterMs = retryAfterMsOf(failure.error)
      if (retryAfterMs !== undefined) setRetryAfter(failure.ctx, retryAfterMs)
      logFailure(failure)
    },
  }
  return new RequestHandler(options, compress, true)
}

/** Returns an `onError` that logs internal errors: all others are the caller's. */
function failureLogger(logger: Logger) {
  return ({ error, path = '', type }: { error: TRPCError; path: string | undefined; type: string }): void => {
    // An invalid identity, which is logged where it is found, and once: it fails every call of its member.
    if (procedureNames.includes(path) && locationErrorIn(error)?.code === 'misconfigured') return
    if (error.code === 'INTERNAL_SERVER_ERROR') logger.error('a procedure failed', { path, type, error })
  }
}

/** Loads the WebSockets on demand: `ws` is an optional peer dependency. @throws LocationError `misconfigured` without it. */
async function loadSockets() {
  const { createLocationWebSocketHandler } = await import('../websocket/handler.js').catch((cause: unknown) => {
    throw new LocationError('misconfigured', 'webSocket needs the package ws: run npm install ws.', { cause })
  })
  return createLocationWebSocketHandler
}

function socketOptions<R extends AnyTRPCRouter>(
  server: Server,
  router: R,
  { logger, limits }: Hub,
  { origins, allowedHosts }: OriginOptions,
): LocationWebSocketOptions<R, IncomingMessage> {
  return {
    server,
    router,
    createContext: ({ req }) => contextOf(req),
    onError: failureLogger(logger),
    maxBatchSize: limits.batch,
    maxMessageBytes,
    ...(origins && { origins }),
    ...(allowedHosts && { allowedHosts }),
  }
}
