import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AnyTRPCRouter, inferRouterContext } from '@trpc/server'
import type { HTTPBaseHandlerOptions, TRPCRequestInfo } from '@trpc/server/http'
import { WebSocketServer, type WebSocket } from 'ws'
import { backgroundClock } from '../../shared/background-clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Awaitable } from '../access/access-types.js'
import { originOptionChecks, originRulesOf, type OriginOptions } from '../http/guard/origin-check.js'
import { firstHubOf, type HttpRequest } from '../http/middleware.js'
import { locationPathsOf } from '../http/guard/call-owners.js'
import { defaultLimits } from '../options/limits.js'
import { silentLogger } from '../options/logger.js'
import { defaultTiming } from '../options/timing.js'
import {
  assertOptions,
  checkedElsewhere,
  hasMethods,
  isBoolean,
  isCount,
  isFunction,
  isRouter,
  type OptionChecks,
} from '../options/option-checks.js'
import { warnOfLostProcedures } from '../procedures/lost-procedures.js'
import { callerAccessOf } from '../procedures/socket-calls.js'
import { openSession } from './open-session.js'
import { closeCodes, type SocketEnvironment } from './socket-environment.js'
import { SocketRegistry } from './socket-registry.js'
import { TrpcAnswers, type OnError } from './trpc-answers.js'
import {
  answerUpgrade,
  closeUnreadable,
  hasReadableUrl,
  refuseUnreadable,
  refuseForNow,
  refuseUpgrade,
  upgradeRefusal,
} from './upgrade-answers.js'

/** A listener of a Node event. The types of its arguments are those of the app's own server and of `ws`. */
// oxlint-disable-next-line typescript/no-explicit-any
type Listener = (...args: any[]) => void

/** A server whose upgrades are handled: one of `node:http` or `node:https`. */
export type UpgradableServer = {
  /** Adds a listener. */
  on(event: 'upgrade', listener: Listener): unknown
  /** Removes a listener. */
  off(event: 'upgrade', listener: Listener): unknown
  /** Returns the number of listeners of an event. */
  listenerCount(event: 'upgrade'): number
}
/** A server of `ws` that the app has created. */
export type WsServer = {
  /** Adds a listener. */
  on(event: 'connection', listener: Listener): unknown
  /** Removes a listener. */
  off(event: 'connection', listener: Listener): unknown
}
/** The parts of a WebSocket that `createContext` may use. */
export type WsSocket = {
  /** Closes the socket. */
  close(code?: number, reason?: string): void
}

type Attachment =
  | {
      /** The HTTP server whose upgrades are handled at `path`. */
      server: UpgradableServer
      /** The path of the URL, with or without a slash at its end. Default: `/trpc`. */
      path?: string
      wss?: never
    }
  | {
      /** A server of `ws` that handles upgrades itself. Origin and host are checked after a socket has opened. */
      wss: WsServer
      server?: never
      path?: never
    }

/** The options of `createLocationWebSocketHandler`. */
export type LocationWebSocketOptions<R extends AnyTRPCRouter, Req = HttpRequest> = Attachment &
  OriginOptions &
  Pick<HTTPBaseHandlerOptions<R, Req>, 'onError'> & {
    router: R
    /**
     * Creates the tRPC context: when a socket opens, and again every `timing.recheckMs`, so that a session that has ended
     * closes its socket. Default: no context.
     */
    createContext?: (options: { req: Req; res: WsSocket; info: TRPCRequestInfo }) => Awaitable<inferRouterContext<R>>
    /** `false` disables the check of `Origin` and `Host`. Default: true. */
    requestGuard?: boolean
    /** The maximum number of queries and mutations in one message. Default: no limit for the app's own procedures. */
    maxBatchSize?: number
    /** The largest message of a client, in bytes. It does not apply to an app's own `wss`. Default: 1 MiB. */
    maxMessageBytes?: number
  }

/** The WebSockets of a router. */
export interface LocationWebSocketHandler {
  /** The number of open sockets. */
  readonly size: number
  /** Refuses new sockets and closes the open ones, with code 1012, once their calls are answered. */
  close(): Promise<void>
}

const optionChecks: OptionChecks<LocationWebSocketOptions<AnyTRPCRouter>> = {
  server: hasMethods('an HTTP server of Node', ['on', 'off', 'listenerCount']),
  path: checkedElsewhere,
  wss: hasMethods('a WebSocketServer of ws', ['on', 'off']),
  router: isRouter,
  createContext: isFunction,
  onError: isFunction,
  requestGuard: isBoolean,
  maxBatchSize: isCount(1),
  maxMessageBytes: isCount(1),
  ...originOptionChecks,
}

/**
 * Serves a router over WebSockets, with the messages of tRPC's `applyWSSHandler`: tRPC's own `wsLink` works. Calls of
 * location procedures take a fast path, which encodes each frame once; all others are left to tRPC. The peer dependency `ws`
 * must be installed.
 *
 * ```ts
 * createLocationWebSocketHandler({ server, router: appRouter, createContext })
 * ```
 *
 * @throws LocationError `misconfigured` for an unknown or wrong option; the message names it.
 */
export function createLocationWebSocketHandler<R extends AnyTRPCRouter, Req = HttpRequest>(
  options: LocationWebSocketOptions<R, Req>,
): LocationWebSocketHandler {
  assertOptions('createLocationWebSocketHandler', options, optionChecks)
  const {
    server,
    wss,
    router,
    path = '/trpc',
    requestGuard = true,
    maxMessageBytes = 2 ** 20,
  }: Partial<typeof options> = options
  if (router === undefined || (server === undefined) === (wss === undefined))
    throw misconfigured('createLocationWebSocketHandler needs router, and either server or wss: pass these two.')
  warnOfLostProcedures(router)
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw misconfigured('path of createLocationWebSocketHandler must be the path of a URL: "/trpc".')
  const rules = requestGuard ? originRulesOf(options) : null
  const environment = environmentOf(options as unknown as LocationWebSocketOptions<AnyTRPCRouter>)
  const registry = new SocketRegistry(environment)
  let isClosed = false
  const isFull = () => isClosed || environment.isDraining() || registry.size >= environment.limits.sockets

  const accept = (ws: WebSocket, request: IncomingMessage) => {
    if (!hasReadableUrl(request)) return closeUnreadable(ws)
    // The option `server`: a full handler has already refused the upgrade. The option `wss`: the limit is checked here.
    const isTooMany = wss !== undefined && isFull()
    const session = openSession(environment, registry, ws, request, wss === undefined)
    const refusal = upgradeRefusal(request, rules)
    if (refusal) session.closeRefused(new LocationError('forbidden', refusal.message.replace(/^[\w-]+: /, '')))
    else if (isTooMany) ws.close(closeCodes.serviceRestart)
  }
  const own = wss ? null : new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: maxMessageBytes, autoPong: false }) // prettier-ignore
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isAtPath(request, path)) {
      // Another listener for upgrades may serve this path. Without one, nobody would answer and the connection would
      // hang.
      if (server!.listenerCount('upgrade') === 1) answerUpgrade(socket, 404, '{"error":"Not found."}')
      return
    }
    if (!hasReadableUrl(request)) return refuseUnreadable(socket)
    const refusal = upgradeRefusal(request, rules)
    if (refusal) refuseUpgrade(socket, refusal)
    else if (isFull()) refuseForNow(socket)
    else own!.handleUpgrade(request, socket, head, accept)
  }
  server?.on('upgrade', upgrade)
  wss?.on('connection', accept)

  return {
    get size() {
      return registry.size
    },
    async close() {
      isClosed = true
      server?.off('upgrade', upgrade)
      wss?.off('connection', accept)
      await registry.close()
    },
  }
}

/** HTTP serves `/trpc/` like `/trpc`, and a client's URL may have the slash. */
const isAtPath = ({ url = '' }: IncomingMessage, path: string) =>
  withoutSlash(url.split('?', 1)[0]!) === withoutSlash(path)

const withoutSlash = (path: string) => (path.endsWith('/') ? path.slice(0, -1) : path)

const misconfigured = (message: string) => new LocationError('misconfigured', message)

function environmentOf(options: LocationWebSocketOptions<AnyTRPCRouter>): SocketEnvironment {
  const { router, maxBatchSize } = options
  const onError = options.onError as unknown as OnError | undefined
  // The location procedures may be in a lazy router, which is not loaded yet.
  const hub = () => firstHubOf(router)
  return {
    router,
    createContext: options.createContext,
    onError,
    maxBatchSize,
    answers: new TrpcAnswers(router, onError),
    get clock() {
      return hub()?.clock ?? backgroundClock
    },
    get timing() {
      return hub()?.timing ?? defaultTiming
    },
    get limits() {
      return hub()?.limits ?? defaultLimits
    },
    get logger() {
      return hub()?.logger ?? silentLogger
    },
    access() {
      const [first] = locationPathsOf(router)
      return first === undefined
        ? undefined
        : callerAccessOf((router._def.procedures as Record<string, object>)[first]!)
    },
    isDraining: () => hub()?.health() === 'draining',
  }
}
