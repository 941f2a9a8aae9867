import { callTRPCProcedure } from '@trpc/server'
import { LocationError } from '../../shared/errors.js'
import { locationErrorIn } from '../procedures/trpc-errors.js'
import { markSocketSignal, type Charges } from '../procedures/socket-calls.js'
import { iterableFor, SubscriberIterable } from '../rooms/subscriber-iterable.js'
import type { Subscriber } from '../rooms/subscriber.js'
import { frameMessage } from './message-bytes.js'
import type { SocketEnvironment } from './socket-environment.js'
import type { FrameSource, SocketWriter } from './socket-writer.js'
import type { ErrorSubject } from './trpc-answers.js'

/** A subscription to a room, as the client requested it. */
export type SubscriptionCall = { id: number | string; prefix: string; path: string; input: unknown }

/** The parts of a socket that a subscription needs. */
export interface SubscriptionOwner {
  readonly environment: SocketEnvironment
  readonly writer: SocketWriter
  /** Resolves to the app's context. @throws TRPCError when the app refused the socket. */
  context(): Promise<unknown>
  /** Sends the error of a call. */
  refuse(prefix: string, cause: unknown, subject: ErrorSubject): void
  /** Releases the id of a subscription that has ended. */
  ended(subscription: SocketSubscription): void
  /** Sends a stream that the app's middlewares have wrapped. */
  sendWrapped(call: SubscriptionCall, ctx: unknown, value: unknown, controller: AbortController): void
  closeLater(cause: unknown): void
  closeExpired(): void
  closeDraining(): void
  terminate(): void
}

/**
 * The codes of temporary errors, after which the server itself retries. tRPC's own client would end a subscription at
 * the first of them.
 */
const passing = new Set(['unavailable', 'closed', 'rate-limited'])
/** One empty function for all subscriptions, to save memory. */
const nothing = (): void => {}
const firstWaitMs = 250
const longestWaitMs = 2_000

/** One `onLocation` subscription on a socket. */
export class SocketSubscription implements FrameSource {
  readonly call: SubscriptionCall
  readonly #owner: SubscriptionOwner
  #controller: AbortController | null = null
  #subscriber: Subscriber | null = null
  #ctx: unknown
  #isOver = false
  #stopWaiting = nothing

  constructor(call: SubscriptionCall, owner: SubscriptionOwner) {
    this.call = call
    this.#owner = owner
  }

  /** The member whose stream this is; `undefined` until the stream is open. */
  get memberId(): string | null | undefined {
    return this.#subscriber?.memberId
  }

  /** Opens the stream. Temporary errors are retried for up to `requestMs`. */
  async open(): Promise<void> {
    const { clock, timing } = this.#owner.environment
    const deadline = clock.now() + timing.requestMs
    const charges: Charges = new Set()
    for (let waitMs = firstWaitMs; !this.#isOver; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
      try {
        this.#ctx = await this.#owner.context()
        if (this.#isOver) return
        const value = await this.#run(charges)
        if (this.#isOver) return void (value instanceof SubscriberIterable && value.subscriber.close())
        return this.#begin(value)
      } catch (cause) {
        if (this.#isOver) return
        this.#dropStream()
        const error = locationErrorIn(cause)
        if (!error || !passing.has(error.code)) return this.#refuse(cause)
        const pauseMs = error.retryAfterMs ?? waitMs * (0.5 + Math.random() / 2)
        if (clock.now() + pauseMs >= deadline) return this.#owner.closeLater(cause)
        await new Promise<void>((resolve) => {
          const cancel = clock.after(pauseMs, resolve)
          this.#stopWaiting = () => {
            cancel()
            resolve()
          }
        })
      }
    }
  }

  flush(): void {
    const { writer, environment } = this.#owner
    const subscriber = this.#subscriber
    if (this.#isOver || !subscriber) return
    // A revoked reader must not receive the frames that are still pending in its socket.
    if (writer.isFull && subscriber.endedBy === 'revoked') return this.#owner.terminate()
    if (writer.isFull) return writer.wait(this)
    const { traffic } = subscriber.room
    const { output } = environment.answers
    for (let frame = subscriber.take(); frame; frame = subscriber.take()) {
      try {
        traffic.bytes += writer.write(frameMessage(frame, output, this.call.prefix))
      } catch (cause) {
        subscriber.onOwed = nothing
        subscriber.close()
        return this.#refuse(cause)
      }
      traffic.frames += 1
      if (!writer.isFull) continue
      writer.wait(this)
      break
    }
    if (subscriber.isClosed) this.#end(subscriber)
  }

  /** Ends the subscription at its client's request. */
  stop(): void {
    if (this.#isOver) return
    this.close()
    this.#owner.ended(this)
    this.#owner.writer.text(`${this.call.prefix}"result":{"type":"stopped"}}`)
  }

  /** Ends the stream because the server closes the socket. The lease of the stream's connection is not shortened. */
  endFor(reason: 'draining' | 'expired' | 'slow'): void {
    this.#subscriber?.end(reason)
    this.close()
  }

  /** Closes the stream and releases everything that it holds. */
  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWaiting()
    this.#owner.writer.forget(this)
    if (this.#subscriber) this.#subscriber.onOwed = nothing
    this.#subscriber?.close()
    this.#controller?.abort()
    this.#controller = null
  }

  #run(charges: Charges): Promise<unknown> {
    const { path, input } = this.call
    const { router } = this.#owner.environment
    this.#controller = new AbortController()
    const { signal } = this.#controller
    markSocketSignal(signal, charges)
    const getRawInput = async () => input
    return callTRPCProcedure({ router, path, type: 'subscription', ctx: this.#ctx, getRawInput, signal, batchIndex: 0 })
  }

  /** Closes a stream whose call failed, in a middleware of the app, after it had opened the stream. */
  #dropStream(): void {
    if (this.#controller) iterableFor(this.#controller.signal)?.subscriber.close()
  }

  #begin(value: unknown): void {
    if (!(value instanceof SubscriberIterable)) {
      this.#isOver = true
      this.#owner.ended(this)
      return this.#owner.sendWrapped(this.call, this.#ctx, value, this.#controller!)
    }
    const { subscriber } = value
    this.#subscriber = subscriber
    // From here on `close()` closes the stream: the abort signal and its listener are no longer needed.
    subscriber.onEnded()
    subscriber.onEnded = nothing
    this.#controller = null
    this.#owner.writer.text(`${this.call.prefix}"result":{"type":"started"}}`)
    subscriber.onOwed = () => this.flush()
    this.flush()
  }

  #refuse(cause: unknown): void {
    const { prefix, path, input } = this.call
    this.close()
    this.#owner.ended(this)
    this.#owner.refuse(prefix, cause, { type: 'subscription', path, input, ctx: this.#ctx })
  }

  /** Ends the subscription after the server has ended its stream and sent its `bye` event. */
  #end({ endedBy, endedWith }: Subscriber): void {
    if (endedWith) return this.#refuse(endedWith)
    if (endedBy === 'draining') return this.#owner.closeDraining()
    if (endedBy === 'expired') return this.#owner.closeExpired()
    if (endedBy === 'slow') return this.#owner.terminate()
    // A stream over HTTP has replaced this one, because there were too many streams.
    const message = 'You have too many open streams in this room: this one was replaced.'
    if (endedBy !== null) this.#refuse(new LocationError('room-full', message))
  }
}
