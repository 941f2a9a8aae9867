import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AnyTRPCRouter, TRPCRouterRecord } from '@trpc/server'
import { closeAll } from '../../shared/close-all.js'
import { LocationError } from '../../shared/errors.js'
import type { memberProfile } from '../../shared/locations.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { LocksOption, OptionalBroadcasts, OptionalSchema, Schema, SchemaTypes } from '../../shared/schema-types.js'
import { isLoopbackAddress, originRulesOf, type OriginOptions } from '../http/guard/origin-check.js'
import { idleTimeoutMs, nodeTimeouts } from '../http/server-timeouts.js'
import { Hub } from '../hub/hub.js'
import type { LocationHub } from '../hub/location-hub.js'
import type { HubOptions } from '../hub/hub-options.js'
import { consoleLogger } from '../options/logger.js'
import { assertOptions } from '../options/option-checks.js'
import type { LocationWebSocketHandler, LocationWebSocketOptions } from '../websocket/handler.js'
import { EventLoopLag } from './event-loop-lag.js'
import { failureLogger } from './failure-logger.js'
import { ServerPort } from './listen.js'
import { warnAboutProxies } from './proxy-warning.js'
import { contextOf } from './request-context.js'
import { requestListener } from './request-listener.js'
import { serverOptionChecks, type LocationServerOptions } from './server-options.js'
import { routerFor, type LocationRouter, type NoProcedures } from './server-router.js'
import { limitSockets, openFilesLimit, socketsWithin } from './socket-limit.js'
import { startupWarnings } from './startup-warnings.js'
import { createWebApp, emptyFolderOf } from './web-app.js'

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
  const router = routerFor(hub, options)
  const loop = new EventLoopLag(hub.clock)
  const readiness = () => {
    const health = hub.health()
    return health === 'ready' && loop.lagMs > lateMs ? 'late' : health
  }
  // With `clientIp`, the app itself returns the addresses of callers, so no warning about proxies is needed.
  const proxies = options.clientIp ? undefined : warnAboutProxies((message) => logger.warn(message))
  const webApp = createWebApp({ folder: options.static, readiness, logger })
  const serve = requestListener({
    hub,
    router,
    originRules,
    compress: options.compress,
    webApp,
    onRequest: (request) => proxies?.requested(request),
  })
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
