import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { initTRPC, type TRPCBuiltRouter } from '@trpc/server'
import express, { type NextFunction, type Request, type Response } from 'express'
import { LocationError } from '../../shared/errors.js'
import type { memberProfile } from '../../shared/locations.js'
import type { Out, Schema } from '../../shared/schema-types.js'
import type { Access } from '../access/access-types.js'

import { startupWarnings } from './startup-warnings.js'
import type { OriginOptions } from '../http/origin-check.js'
import { createLocationHub, Hub, type HubOptions, type LocationHub } from '../hub/hub.js'
import { closeServer, listen } from './listen.js'
import { letIn } from '../http/request-guard.js'
import { EventLoopLag } from './event-loop-lag.js'
import { createLocationMiddleware } from '../http/middleware.js'
import type { ClientIp } from '../procedures/procedures.js'
import { createLocationRouter, type LocationRecord, type LocationRouterOptions } from '../procedures/router.js'
import { retryAfterMsOf, withRetryAfterMs, type LocationErrorShape } from '../procedures/trpc-errors.js'
import { boundSockets, openFilesLimit, socketsWithin } from './socket-limit.js'

/** What `identify` and `authorize` see of a request. */
export type ServerContext = {
  headers: Headers
  /** The address at the other end of the connection: a proxy's, behind a proxy. */
  ip: string
}

/** The router of a server that has nothing else on it: what `typeof server.router` is. */
export type LocationRouter<L, P> = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: LocationErrorShape; transformer: false },
  LocationRecord<L, P>
>

export type LocationServerOptions<SL extends Schema, SP extends Schema> = HubOptions<SL, SP> &
  Access<ServerContext, NoInfer<Out<SP>>> &
  OriginOptions & {
    /** A folder of files to serve beside the procedures, with a content security policy that allows only its own. */
    static?: string
    /**
     * Sends streams as gzip to whoever takes it: each frame is compressed once, for all its readers. Default false.
     * What it saves, costs and gives away: docs/deploying.md.
     */
    compress?: boolean
    /**
     * The address of the caller's own machine, which limits per address go by. Behind a proxy: the one that your proxy
     * vouches for, such as the last entry of `x-forwarded-for`, never what the caller wrote. Default: `ctx.ip`.
     */
    clientIp?: ClientIp<ServerContext>
  }

/** `url` is where the pages are, `trpcUrl` what a client is given. */
export type ListeningAt = { url: string; trpcUrl: string }

export interface LocationServer<L, P> {
  router: LocationRouter<L, P>
  hub: LocationHub<L, P>
  /**
   * Serves the procedures under `/trpc`, and `/livez` and `/readyz`. Default port 3000, default host 127.0.0.1; port 0 takes
   * a free one.
   *
   * @throws LocationError `misconfigured` when the port is taken or may not be used, it listens already, or the backend
   * cannot do its work; `closed` after `close()`.
   */
  listen(port?: number, host?: string): Promise<ListeningAt>
  /** Ends everything at once. To let clients move on first, `hub.drain()` before, or `drainOnSignals(server)`. */
  close(): Promise<void>
}

/** A process that keeps everybody waiting for longer than this should be sent nobody new. */
const lateMs = 1_000

const pagePolicy =
  "default-src 'self'; img-src 'self' https: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/**
 * A whole server: the hub, the five procedures under `/trpc`, health checks, and a folder of files if you have one.
 *
 * ```ts
 * const server = createLocationServer({ location: cellLocation, anonymous: true })
 * await server.listen(3000)
 * ```
 *
 * @throws LocationError `misconfigured`
 */
export function createLocationServer<SL extends Schema, SP extends Schema = typeof memberProfile>(
  options: LocationServerOptions<SL, SP>,
): LocationServer<Out<SL>, Out<SP>> {
  const hub = createLocationHub<SL, SP>(options)
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const { limits, timing, logger } = hub
  const t = initTRPC.context<ServerContext>().create({
    // Stacks are for logs.
    isDev: false,
    errorFormatter: ({ shape, error }) => withRetryAfterMs(shape, error),
    // Longer than the 2.5 beats after which our own client acts, so that a stock client does not outlive a dead stream.
    sse: { client: { reconnectAfterInactivityMs: 3 * timing.beatMs } },
  })
  const access = options as unknown as Access<ServerContext, unknown>
  const clientIp = options.clientIp ?? (({ ctx }) => ctx.ip)
  const record = createLocationRouter({ hub, procedure: t.procedure, ...access, clientIp } as LocationRouterOptions<
    Out<SL>,
    Out<SP>,
    typeof t.procedure
  >)
  const router = t.router(record)

  const procedures = createLocationMiddleware({
    router,
    createContext: ({ req, res }: { req: IncomingMessage; res: ServerResponse }): ServerContext => contextOf(req, res),
    maxBodySize: limits.bodyBytes,
    // They stand in front of whatever else is asked for under /trpc, too.
    requestGuard: false,
    maxBatchSize: limits.batch,
    ...(options.compress !== undefined && { compress: options.compress }),
    onError({ error, path, type, ctx }) {
      const retryAfterMs = retryAfterMsOf(error)
      if (retryAfterMs !== undefined) setRetryAfter(ctx, retryAfterMs)
      if (error.code === 'INTERNAL_SERVER_ERROR') logger.error('a procedure failed', { path, type, error })
    },
  })
  const app = express()
  app.disable('x-powered-by')
  app.get('/livez', (_request, response) => void response.type('text').send('ok\n'))
  const loop = new EventLoopLag(hub.clock)
  app.get('/readyz', (_request, response) => {
    const health = hub.health()
    const said = health === 'ready' && loop.lagMs > lateMs ? 'late' : health
    response
      .status(said === 'ready' ? 200 : 503)
      .type('text')
      .send(said === 'ready' ? 'ok\n' : `${said}\n`)
  })
  if (options.static !== undefined) app.use(pages(options.static))
  app.use((_request, response) => void response.status(404).json({ error: 'Nothing is here.' }))
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    const isOurs = !(error instanceof Error && 'status' in error && error.status === 400)
    if (isOurs) logger.error('a request failed', { error })
    response.status(isOurs ? 500 : 400).json({ error: isOurs ? 'The request failed.' : 'The address is malformed.' })
  })
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'no-referrer')
    // Past Express: what it adds to each response costs more than a post does.
    if (!/^\/trpc(?=[/?]|$)/.test(request.url ?? '')) app(request, response)
    else if (letIn(request, response, options, limits)) procedures(request, response)
  }

  // The whole head in half the time that a request may take, all of it in three quarters: Node looks only now and then,
  // and whoever is late then must be gone before a tombstone is that they may race with.
  const requestMs = Math.max(timing.requestMs, 1_000)
  const server = createServer(
    {
      headersTimeout: requestMs / 2,
      requestTimeout: (requestMs * 3) / 4,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: requestMs / 20,
    },
    serve,
  )
  boundSockets(server, Math.min(limits.sockets, socketsWithin(openFilesLimit())), hub)
  let isClosed = false
  return {
    router: router as unknown as LocationRouter<Out<SL>, Out<SP>>,
    hub,
    async listen(port = 3000, host = '127.0.0.1') {
      if (isClosed) throw new LocationError('closed', 'This server was closed: make a new one.')
      await hub.ready()
      const url = await listen(server, port, host)
      loop.start()
      const { address } = server.address() as AddressInfo
      const isOpenToAll = options.anonymous === true && !options.authorize
      const countsPeers = options.clientIp === undefined
      for (const warning of startupWarnings({
        address,
        isOpenToAll,
        countsPeers,
        origins: options.origins,
        limits,
        timing,
      }))
        logger.warn(warning)
      return { url, trpcUrl: `${url}/trpc` }
    },
    async close() {
      isClosed = true
      loop.stop()
      await hub.close()
      await closeServer(server)
    },
  }
}

function pages(folder: string) {
  return express.static(folder, {
    setHeaders: (response) => void response.setHeader('content-security-policy', pagePolicy),
  })
}

/** The response to a context's request, for the headers that depend on an error. */
const responseKey = Symbol('response')

function contextOf(request: IncomingMessage, response: ServerResponse): ServerContext {
  let headers: Headers | undefined
  return {
    // Made when first asked for: an anonymous server never asks, and every post would pay for them.
    get headers() {
      return (headers ??= headersOf(request))
    },
    ip: request.socket.remoteAddress ?? '',
    [responseKey]: response,
  } as ServerContext
}

/** Sets the `retry-after` header, in whole seconds. A batch gets the longest wait of its calls. */
function setRetryAfter(ctx: unknown, retryAfterMs: number): void {
  const response = (ctx as { [responseKey]?: ServerResponse } | undefined)?.[responseKey]
  if (!response || response.headersSent) return
  const seconds = Math.ceil(retryAfterMs / 1_000)
  response.setHeader('retry-after', Math.max(seconds, Number(response.getHeader('retry-after') ?? 0)))
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers))
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) headers.append(name, each)
  return headers
}
