import {
  callTRPCProcedure,
  getTRPCErrorFromUnknown,
  getTRPCErrorShape,
  type AnyTRPCRouter,
  type inferRouterContext,
} from '@trpc/server'
import type { HTTPBaseHandlerOptions, TRPCRequestInfo } from '@trpc/server/http'
import type { Awaitable } from '../access/access-types.js'
import { AttachedStream } from './socket-stream.js'
import { serverWarning, type ServerTimeouts } from '../standalone/startup-warnings.js'
import { agreesOnGzip } from './gzip/content-encoding.js'
import type { OriginOptions } from './origin-check.js'
import { GzipSink } from './gzip/gzip-sink.js'
import { HangUp } from './lazy-abort.js'
import { infoOf, inputOf, plainCall, type Call, type CallInput } from './direct-call.js'
import type { LiveRoom } from '../rooms/live-room.js'
import { SubscriberIterable, iterableFor } from '../rooms/subscriber-iterable.js'
import { directPostOf as shortcutOf } from '../procedures/direct-post.js'
import { hubOf, isLocationProcedure } from '../procedures/router.js'
import { routerDoors } from './router-guard.js'
import { sinkOf, type NodeRequest, type NodeResponse, type Sink } from './sink.js'
import { encodeEvent } from '../rooms/sse-encoding.js'
import {
  answerByTrpc,
  answerOutcome,
  streamHead,
  type AdapterOptions,
  type TrpcOutcome,
  type StreamHead,
} from './trpc-fallback.js'

/** A request as far as types need to know it: `node:http`'s, `node:http2`'s and Express's are all like this. */
export type HttpRequest = {
  method?: string | undefined
  url?: string | undefined
  headers: { [name: string]: string | string[] | undefined }
}
export type HttpResponse = { statusCode: number; setHeader(name: string, value: string): unknown }

/** The options of tRPC's own `createExpressMiddleware`, and those of our doors. */
export type LocationMiddlewareOptions<
  R extends AnyTRPCRouter,
  Req = HttpRequest,
  Res = HttpResponse,
> = HTTPBaseHandlerOptions<R, Req> &
  OriginOptions & {
    /**
     * `false`: requests for location procedures are let in as tRPC lets them in, because the app has doors of its own.
     * Default: they pass the doors of `createLocationServer`.
     */
    requestGuard?: boolean
    /** Your context; left out when there is none. */
    createContext?: (options: { req: Req; res: Res; info: TRPCRequestInfo }) => Awaitable<inferRouterContext<R>>
    /** The largest body of a request, in bytes. Default: no limit. A body that was parsed before is not counted. */
    maxBodySize?: number
    /**
     * Sends location streams as gzip to whoever takes it: each frame is compressed once, for all its readers. Default false.
     * What it saves, costs and gives away: docs/deploying.md.
     */
    compress?: boolean
    /** A connect-style middleware to run first, such as `cors()`. */
    middleware?: (req: Req, res: Res, next: (error?: unknown) => void) => void
  }

/**
 * Serves a router like tRPC's `createExpressMiddleware`, byte for byte, and takes location streams past the Fetch API:
 * each frame is encoded once and written to every socket. For Express, `node:http` and whatever has their requests.
 * Requests that call a location procedure pass the doors of `createLocationServer` first: pages of other origins get
 * nothing done, and what calls nothing else has at most `limits.bodyBytes` and `limits.batch` calls. Everything else on
 * the router goes in and out as with tRPC.
 *
 * ```ts
 * app.use('/trpc', createLocationMiddleware({ router: appRouter, createContext }))
 * ```
 */
export function createLocationMiddleware<R extends AnyTRPCRouter, Req = HttpRequest, Res = HttpResponse>(
  options: LocationMiddlewareOptions<R, Req, Res>,
): (req: Req, res: Res) => void {
  const { middleware, compress = false, requestGuard = true, ...rest } = options
  const desk = new Desk(rest as unknown as AdapterOptions, compress)
  const admit = requestGuard ? routerDoors(options.router, options) : () => Infinity
  const take = (request: NodeRequest, response: NodeResponse) => {
    const bodyBytes = admit(request, response)
    if (bodyBytes !== null) desk.take(request, response, bodyBytes)
  }
  return (req, res) => {
    // Types are structural, so that no type of node's is among the public ones.
    const [request, response] = [req as NodeRequest, res as NodeResponse]
    if (!middleware) return take(request, response)
    try {
      middleware(req, res, (error) => (error ? desk.fail(request, response, error) : take(request, response)))
    } catch (thrown) {
      desk.refuse(request, response, thrown)
    }
  }
}

type Asked = { call: Call; input: CallInput; ctx: unknown }
type Attaching = Asked & { pump: SubscriberIterable<unknown>; head: StreamHead; hangUp: HangUp }
type Concluded = { call: Call; input: CallInput; outcome: TrpcOutcome }

/** Takes requests: plain calls of ours the short way, all others tRPC's. */
class Desk {
  readonly #options: AdapterOptions
  readonly #compresses: boolean
  #head: StreamHead | undefined
  #hasWarned = false
  #hasLooked = false

  constructor(options: AdapterOptions, compresses: boolean) {
    this.#options = options
    this.#compresses = compresses
  }

  /** @param bodyBytes how much of a body is read, if the app does not say less. */
  take(request: NodeRequest, response: NodeResponse, bodyBytes: number): void {
    const { router } = this.#options
    const maxBodySize = Math.min(bodyBytes, this.#options.maxBodySize || Infinity)
    const call = plainCall(request, router, isLocationProcedure)
    if (call && !(call.type === 'subscription' && isStreamless(router)))
      this.#serve(call, request, response, maxBodySize).catch((thrown: unknown) =>
        this.refuse(request, response, thrown),
      )
    else answerByTrpc(maxBodySize === Infinity ? this.#options : { ...this.#options, maxBodySize }, request, response)
  }

  /** What came before us said that it failed. */
  fail(request: NodeRequest, response: NodeResponse, error: unknown): void {
    answerByTrpc(this.#options, request, response, (next) => next(error))
  }

  /** What came before us threw. */
  refuse(request: NodeRequest, response: NodeResponse, thrown: unknown): void {
    answerByTrpc(this.#options, request, response, () => {
      throw thrown
    })
  }

  async #serve(call: Call, request: NodeRequest, response: NodeResponse, maxBytes: number): Promise<void> {
    const { router } = this.#options
    this.#lookAtServer(call, request)
    const hangUp = new HangUp()
    response.once('close', () => response.writableEnded || hangUp.abort())
    const input = inputOf(call, request, router, maxBytes)
    const outcome = await this.#run(call, input, request, response, hangUp)
    // A middleware may have thrown when the stream was open already.
    if ('error' in outcome && call.type === 'subscription') iterableFor(hangUp.signal)?.subscriber.close()
    if (isGone(response)) return this.#leave({ call, input, outcome }, request)
    if ('value' in outcome) {
      const { value, ctx } = outcome
      if (value instanceof SubscriberIterable) {
        response.once('close', () => value.subscriber.close())
        const head = await this.#headOf({ call, input, ctx }, request, response)
        if (isGone(response)) return
        if (head) return this.#attach({ pump: value, head, call, input, ctx, hangUp }, request, response)
      } else if (call.type === 'subscription') this.#warnOnce(call)
      else if (this.#reply(value, response)) return
    }
    answerOutcome(this.#options, { call, input, outcome }, request, response)
  }

  /** Nobody is left to answer; what failed is told to the app all the same. */
  #leave({ call: { path, type }, input, outcome }: Concluded, request: NodeRequest): void {
    if ('value' in outcome)
      return void (outcome.value instanceof SubscriberIterable && outcome.value.subscriber.close())
    const { ctx, cause } =
      'error' in outcome ? { ctx: outcome.ctx, cause: outcome.error } : { ctx: undefined, cause: outcome.contextError }
    const error = getTRPCErrorFromUnknown(cause)
    // The body broke off with its sender: tRPC waits for the rest of it for ever.
    if (error.code === 'CLIENT_CLOSED_REQUEST') return
    const tell = () => this.#options.onError?.({ error, path, type, input: input.result(), ctx, req: request } as never)
    tell()
    // tRPC tells it of a subscription twice: when it fails, and when that is written.
    if (type === 'subscription') tell()
  }

  async #run(
    call: Call,
    input: CallInput,
    request: NodeRequest,
    response: NodeResponse,
    hangUp: HangUp,
  ): Promise<TrpcOutcome> {
    const { router, createContext } = this.#options
    const { path, type } = call
    const { getRawInput } = input
    let ctx: unknown
    try {
      const info = infoOf(call, request, input, hangUp)
      ctx = await createContext?.({ ...this.#options, req: request, res: response, info })
    } catch (contextError) {
      return { contextError }
    }
    try {
      const direct = shortcutOf(call.procedure)
      if (direct) return { ctx, value: await direct(ctx, getRawInput) }
      const { signal } = hangUp
      return { ctx, value: await callTRPCProcedure({ router, path, type, ctx, getRawInput, signal, batchIndex: 0 }) }
    } catch (error) {
      return { ctx, error }
    }
  }

  /** What tRPC answers to a mutation that went well. @returns false when that is for tRPC to find out. */
  #reply(value: unknown, response: NodeResponse): boolean {
    if (this.#options.responseMeta || !isFlat(value)) return false
    const { output } = this.#options.router._def._config.transformer
    let body: string
    try {
      body = JSON.stringify({ result: { data: output.serialize(value) } })
    } catch {
      return false
    }
    response.setHeader('content-type', 'application/json')
    response.setHeader('vary', 'trpc-accept, accept')
    // In two steps, so that the head names no length: tRPC's does not either.
    response.write(body)
    response.flush?.()
    response.end()
    return true
  }

  #attach(attaching: Attaching, request: NodeRequest, response: NodeResponse): void {
    const { pump, head, call, input, ctx, hangUp } = attaching
    const { subscriber } = pump
    const sink = this.#open(head, subscriber.room, request, response)
    sink.write(encodeEvent(head.preamble))
    const config = this.#options.router._def._config
    const { output } = config.transformer
    const { clock, timing } = subscriber.room
    const stream = new AttachedStream(subscriber, sink, {
      serializer: output,
      clock,
      stallMs: timing.stallMs,
      frameStallMs: timing.frameStallMs,
      pingMs: config.sse?.ping?.enabled ? (config.sse.ping.intervalMs ?? 1_000) : 0,
      maxDurationMs: config.sse?.maxDurationMs ?? 0,
      onOutlived: () => hangUp.abort(),
      formatError: (cause) => {
        const error = getTRPCErrorFromUnknown(pump.toError(cause))
        const about = { error, path: call.path, type: call.type, ctx, input: input.result() }
        this.#options.onError?.({ ...about, req: request } as never)
        return output.serialize(getTRPCErrorShape({ ...about, config }))
      },
    })
    response.once('close', () => stream.close())
  }

  /** Sends the head. */
  #open(head: StreamHead, room: LiveRoom, request: NodeRequest, response: NodeResponse): Sink {
    writeHead(head, response)
    const isGzip = this.#compresses && agreesOnGzip(request, response)
    response.flushHeaders()
    const out = sinkOf(request, response, room.traffic)
    if (!isGzip) return out
    const sink = new GzipSink(out, room)
    response.once('close', () => sink.close())
    return sink
  }

  /** Asked once, or, where the app has a say in headers, each time. */
  async #headOf(about: Asked, request: NodeRequest, response: NodeResponse): Promise<StreamHead | null> {
    if (this.#head) return this.#head
    const head = await streamHead(this.#options, about, request, response)
    if (head && !this.#options.responseMeta) this.#head = head
    return head
  }

  /** A server that we did not make may wait longer than we can bear: said once, when it first brings a call of ours. */
  #lookAtServer({ procedure }: Call, { socket }: NodeRequest): void {
    if (this.#hasLooked) return
    this.#hasLooked = true
    const { timing, logger } = hubOf(procedure)!
    const warning = serverWarning((socket as { server?: ServerTimeouts } | undefined)?.server ?? {}, timing)
    if (warning !== null) logger.warn(warning)
  }

  #warnOnce({ path }: Call): void {
    if (this.#hasWarned || process.env['NODE_ENV'] === 'production') return
    this.#hasWarned = true
    const cause = 'a middleware or .output() put a stream of its own around it'
    process.emitWarning(`${path}: frames are encoded for each reader, since ${cause}.`, { code: 'HEREABOUTS_WRAPPED' })
  }
}

function isStreamless(router: AnyTRPCRouter): boolean {
  const { sse } = router._def._config
  return sse?.enabled === false || sse?.emitAndEndImmediately === true
}

/** Its reader is: HTTP/2's response does not say it of itself. */
const isGone = ({ destroyed, stream }: NodeResponse & { stream?: { destroyed: boolean } }) =>
  destroyed || stream?.destroyed === true

/** As our own replies are. Whatever else a middleware made of one may hold what tRPC refuses. */
const isFlat = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((item) => typeof item !== 'object' && typeof item !== 'function')

/** As tRPC's adapter writes it: a status that a procedure set stands, and so does every cookie. */
function writeHead({ status, headers }: StreamHead, response: NodeResponse): void {
  if (response.statusCode === 200) response.statusCode = status
  for (const [name, value] of headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
}
