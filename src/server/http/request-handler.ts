import { callTRPCProcedure, getTRPCErrorFromUnknown, getTRPCErrorShape, type AnyTRPCRouter } from '@trpc/server'
import { serverTimeoutWarnings, type ServerTimeouts } from './server-timeouts.js'
import { negotiateGzip } from './gzip/content-encoding.js'
import { GzipSink } from './gzip/gzip-sink.js'
import { LazyAbort } from './lazy-abort.js'
import { infoOf, inputOf, plainCall, type Call, type CallInput } from './direct-call.js'
import type { LiveRoom } from '../rooms/live-room.js'
import { SubscriberIterable, iterableFor } from '../rooms/subscriber-iterable.js'
import { encodeEvent } from '../rooms/sse-encoding.js'
import { frameOf, isFrameQuery } from '../procedures/frame-answer.js'
import { hubOf, isLocationProcedure } from '../procedures/router.js'
import { directPostOf } from '../procedures/direct-post.js'
import { sinkOf, type NodeRequest, type NodeResponse, type Sink } from './sink.js'
import { SocketStream } from './socket-stream.js'
import {
  answerByTrpc,
  answerOutcome,
  streamHead,
  type AdapterOptions,
  type StreamHead,
  type TrpcOutcome,
} from './trpc-fallback.js'

type CallWithContext = { call: Call; input: CallInput; ctx: unknown }
type StreamStart = CallWithContext & { events: SubscriberIterable<unknown>; head: StreamHead; disconnect: LazyAbort }
type FinishedCall = { call: Call; input: CallInput; outcome: TrpcOutcome }

/** Handles requests: plain calls of location procedures directly, all others through tRPC. */
export class RequestHandler {
  readonly #options: AdapterOptions
  readonly #isCompressing: boolean
  #head: StreamHead | undefined
  #hasWarned = false
  #hasCheckedTimeouts: boolean

  /** @param isOwnServer true when this package has created the server, so that its timeouts need no check. */
  constructor(options: AdapterOptions, isCompressing: boolean, isOwnServer = false) {
    this.#options = options
    this.#isCompressing = isCompressing
    this.#hasCheckedTimeouts = isOwnServer
  }

  /** @param bodyBytes the largest body in bytes, unless the app's own `maxBodySize` is lower. */
  handle(request: NodeRequest, response: NodeResponse, bodyBytes: number): void {
    const { router } = this.#options
    const maxBodySize = Math.min(bodyBytes, this.#options.maxBodySize || Infinity)
    const call = plainCall(request, router, isLocationProcedure, isFrameQuery)
    if (call && !(call.type === 'subscription' && hasStreamsDisabled(router)))
      this.#serve(call, request, response, maxBodySize).catch((thrown: unknown) =>
        this.answerThrown(request, response, thrown),
      )
    else answerByTrpc(maxBodySize === Infinity ? this.#options : { ...this.#options, maxBodySize }, request, response)
  }

  /** Lets tRPC answer a request for which an earlier middleware called `next(error)`. */
  answerError(request: NodeRequest, response: NodeResponse, error: unknown): void {
    answerByTrpc(this.#options, request, response, (next) => next(error))
  }

  /** Lets tRPC answer a request for which an earlier middleware threw. */
  answerThrown(request: NodeRequest, response: NodeResponse, thrown: unknown): void {
    answerByTrpc(this.#options, request, response, () => {
      throw thrown
    })
  }

  async #serve(call: Call, request: NodeRequest, response: NodeResponse, maxBytes: number): Promise<void> {
    const { router } = this.#options
    this.#checkTimeouts(call, request)
    const disconnect = new LazyAbort()
    response.once('close', () => response.writableEnded || disconnect.abort())
    const input = inputOf(call, request, router, maxBytes)
    const outcome = await this.#run(call, input, request, response, disconnect)
    // A middleware may have thrown after the stream was opened: the stream is closed.
    if ('error' in outcome && call.type === 'subscription') iterableFor(disconnect.signal)?.subscriber.close()
    if (hasDisconnected(response)) return this.#closeAbandoned({ call, input, outcome }, request)
    if ('value' in outcome) {
      const { value, ctx } = outcome
      if (value instanceof SubscriberIterable) {
        response.once('close', () => value.subscriber.close())
        const head = await this.#headOf({ call, input, ctx }, request, response)
        if (hasDisconnected(response)) return
        if (head) return this.#attach({ events: value, head, call, input, ctx, disconnect }, request, response)
      } else if (call.type === 'subscription') {
        // The app has wrapped the stream in a generator of its own, which must be told whenever the response ends, as
        // in tRPC.
        response.once('close', () => disconnect.abort())
        this.#warnOnce(call)
      } else if (this.#reply(value, response)) return
    }
    answerOutcome(this.#options, { call, input, outcome }, request, response)
  }

  /** Finishes a call whose client has disconnected: there is no response, but an error is still reported to the app. */
  #closeAbandoned({ call: { path, type }, input, outcome }: FinishedCall, request: NodeRequest): void {
    if ('value' in outcome)
      return void (outcome.value instanceof SubscriberIterable && outcome.value.subscriber.close())
    const { ctx, cause } =
      'error' in outcome ? { ctx: outcome.ctx, cause: outcome.error } : { ctx: undefined, cause: outcome.contextError }
    const error = getTRPCErrorFromUnknown(cause)
    // The client disconnected while it sent the body. Nothing is reported, as in tRPC, which would wait forever for the
    // rest of the body.
    if (error.code === 'CLIENT_CLOSED_REQUEST') return
    const report = () =>
      this.#options.onError?.({ error, path, type, input: input.result(), ctx, req: request } as never)
    report()
    // tRPC reports an error of a subscription twice, and so does this: when the call fails, and when the error would be
    // written.
    if (type === 'subscription') report()
  }

  async #run(
    call: Call,
    input: CallInput,
    request: NodeRequest,
    response: NodeResponse,
    disconnect: LazyAbort,
  ): Promise<TrpcOutcome> {
    const { router, createContext } = this.#options
    const { path, type } = call
    const { getRawInput } = input
    let ctx: unknown
    try {
      const info = infoOf(call, request, input, disconnect)
      ctx = await createContext?.({ ...this.#options, req: request, res: response, info })
    } catch (contextError) {
      return { contextError }
    }
    try {
      const direct = directPostOf(call.procedure)
      if (direct) return { ctx, value: await direct(ctx, getRawInput) }
      const { signal } = disconnect
      return { ctx, value: await callTRPCProcedure({ router, path, type, ctx, getRawInput, signal, batchIndex: 0 }) }
    } catch (error) {
      return { ctx, error }
    }
  }

  /** Sends tRPC's answer to a successful mutation, or to a query for a frame. @returns false when tRPC must format it. */
  #reply(value: unknown, response: NodeResponse): boolean {
    const answered = frameOf(value)
    if (this.#options.responseMeta || !(answered || isFlat(value))) return false
    const { output } = this.#options.router._def._config.transformer
    let body: string | Uint8Array
    try {
      body = answered
        ? answered.frame.answered(output, answered.features)
        : JSON.stringify({ result: { data: output.serialize(value) } })
    } catch {
      return false
    }
    response.setHeader('content-type', 'application/json')
    response.setHeader('vary', 'trpc-accept, accept')
    // `write` and `end` are called separately, so that no content-length is set, as with tRPC.
    response.write(body)
    response.flush?.()
    response.end()
    return true
  }

  #attach(start: StreamStart, request: NodeRequest, response: NodeResponse): void {
    const { events, head, call, input, ctx, disconnect } = start
    const { subscriber } = events
    const sink = this.#open(head, subscriber.room, request, response)
    sink.write(encodeEvent(head.preamble))
    const config = this.#options.router._def._config
    const { output } = config.transformer
    const { clock, timing } = subscriber.room
    const stream = new SocketStream(subscriber, sink, {
      serializer: output,
      clock,
      stallMs: timing.stallMs,
      frameStallMs: timing.frameStallMs,
      pingMs: config.sse?.ping?.enabled ? (config.sse.ping.intervalMs ?? 1_000) : 0,
      maxDurationMs: config.sse?.maxDurationMs ?? 0,
      onMaxDuration: () => disconnect.abort(),
      formatError: (cause) => {
        const error = getTRPCErrorFromUnknown(events.toError(cause))
        const about = { error, path: call.path, type: call.type, ctx, input: input.result() }
        this.#options.onError?.({ ...about, req: request } as never)
        return output.serialize(getTRPCErrorShape({ ...about, config }))
      },
    })
    response.once('close', () => stream.close())
  }

  /** Sends the headers and returns the sink of the stream. */
  #open(head: StreamHead, room: LiveRoom, request: NodeRequest, response: NodeResponse): Sink {
    writeHead(head, response)
    const isGzip = this.#isCompressing && negotiateGzip(request, response)
    response.flushHeaders()
    const out = sinkOf(request, response, room.traffic)
    if (!isGzip) return out
    const sink = new GzipSink(out, room)
    response.once('close', () => sink.close())
    return sink
  }

  /** Returns the stream's head: cached, unless the app sets headers through `responseMeta`. */
  async #headOf(about: CallWithContext, request: NodeRequest, response: NodeResponse): Promise<StreamHead | null> {
    if (this.#head) return this.#head
    const head = await streamHead(this.#options, about, request, response)
    if (head && !this.#options.responseMeta) this.#head = head
    return head
  }

  /** Warns once, at the first location call, when the timeouts of the app's own server are too long. */
  #checkTimeouts({ procedure }: Call, { socket }: NodeRequest): void {
    if (this.#hasCheckedTimeouts) return
    this.#hasCheckedTimeouts = true
    const { timing, logger } = hubOf(procedure)!
    const { server = {} } = (socket as { server?: ServerTimeouts } | undefined) ?? {}
    for (const warning of serverTimeoutWarnings(server, timing)) logger.warn(warning)
  }

  #warnOnce({ path }: Call): void {
    if (this.#hasWarned || process.env['NODE_ENV'] === 'production') return
    this.#hasWarned = true
    const cause = 'a middleware or .output() wraps its stream'
    process.emitWarning(`${path}: frames are encoded for each subscriber, since ${cause}.`, {
      code: 'HEREABOUTS_WRAPPED',
    })
  }
}

/** True if the router's SSE options prevent long-lived streams. */
function hasStreamsDisabled(router: AnyTRPCRouter): boolean {
  const { sse } = router._def._config
  return sse?.enabled === false || sse?.emitAndEndImmediately === true
}

/** True if the client disconnected. HTTP/2 responses do not set `destroyed`. */
const hasDisconnected = ({ destroyed, stream }: NodeResponse & { stream?: { destroyed: boolean } }) =>
  destroyed || stream?.destroyed === true

/**
 * True for an object without nested objects or functions, such as the replies of the location procedures. A reply that
 * a middleware replaced may hold values that tRPC rejects.
 */
const isFlat = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((item) => typeof item !== 'object' && typeof item !== 'function')

/**
 * Writes the status and the headers as tRPC's adapter does: a status that a procedure set is kept, and each cookie has
 * its own header.
 */
function writeHead({ status, headers }: StreamHead, response: NodeResponse): void {
  if (response.statusCode === 200) response.statusCode = status
  for (const [name, value] of headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
}
