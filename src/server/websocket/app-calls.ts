import type { IncomingMessage } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import type { ByeReason } from '../../shared/events.js'
import type { Subscriber } from '../rooms/subscriber.js'
import { iterableFor } from '../rooms/subscriber-iterable.js'
import type { SocketEnvironment } from './socket-environment.js'
import type { SubscriptionCall } from './socket-subscription.js'
import type { SocketWriter } from './socket-writer.js'
import { TrpcFacade } from './trpc-facade.js'

export type AppCallsOptions = {
  environment: SocketEnvironment
  req: IncomingMessage
  writer: SocketWriter
  /** Resolves to the app's context. @throws TRPCError when the app refused the socket. */
  context: () => Promise<unknown>
  /** Called when a call was answered or a subscription has ended. */
  onSettled: () => void
  /** Called when the server has ended a wrapped stream for a reason that concerns the whole socket. */
  onStreamEnded: (reason: ByeReason) => void
}

type Addressed = { id: number | string; method?: string }

/**
 * The calls that a socket leaves to tRPC: those of the app's own procedures, and location streams that a middleware has
 * wrapped.
 */
export class AppCalls {
  readonly #options: AppCallsOptions
  /** The facade that handles new messages. */
  #current: TrpcFacade | null = null
  /**
   * The facades of earlier contexts, and below those of wrapped streams. Each is kept while it has a call or a
   * subscription.
   */
  readonly #others = new Set<TrpcFacade>()
  readonly #streams = new Map<TrpcFacade, Subscriber | undefined>()

  constructor(options: AppCallsOptions) {
    this.#options = options
  }

  get isIdle(): boolean {
    return this.pending === 0 && this.subscriptions === 0
  }

  /** The number of open subscriptions. */
  get subscriptions(): number {
    return this.#all().reduce((sum, { subscriptions }) => sum + subscriptions, 0)
  }

  /** The members whose location streams are open. */
  get streamMembers(): (string | null)[] {
    return [...this.#streams.values()].flatMap((subscriber) => (subscriber?.isOpen ? [subscriber.memberId] : []))
  }

  /** The number of queries and mutations without an answer. */
  get pending(): number {
    return this.#all().reduce((sum, { pending }) => sum + pending, 0)
  }

  owns(id: number | string): boolean {
    return this.#all().some((facade) => facade.owns(id))
  }

  /** Hands a message, or an array of them, to tRPC. */
  deliver(parsed: unknown): void {
    const current = this.#facade()
    if (!Array.isArray(parsed)) return (this.#ownerOf(parsed) ?? current).deliver(parsed)
    // tRPC tells a procedure its index in the array. So that the indexes do not change, a message that another facade
    // handles is replaced by a stop of the same subscription.
    const own = parsed.map((each: Addressed) => {
      const owner = this.#ownerOf(each)
      if (!owner || owner === current) return each
      owner.deliver(each)
      return { id: each.id, method: 'subscription.stop' }
    })
    current.deliver(own)
  }

  /** Returns the facade with the open subscription to which a message belongs. */
  #ownerOf(message: unknown): TrpcFacade | undefined {
    const { id, method } = message as Addressed
    if (method !== 'subscription.stop' && method !== 'subscription') return undefined
    return this.#all().find((facade) => facade.owns(id))
  }

  /** Lets tRPC answer messages of which at least one is not valid: tRPC runs none of them. */
  deliverInvalid(parsed: unknown): void {
    this.#facade().deliverInvalid(parsed)
  }

  deliverRaw(data: Buffer, isBinary: boolean): void {
    this.#facade().deliverRaw(data, isBinary)
  }

  /** Lets tRPC send a location stream that was opened before, and that a middleware has wrapped. */
  deliverStream(
    { id, prefix, path }: SubscriptionCall,
    ctx: unknown,
    value: unknown,
    controller: AbortController,
  ): void {
    const { router } = this.#options.environment
    const procedure = (router._def.procedures as Record<string, object>)[path] as { _def: object }
    const resolve = async ({ signal }: { signal?: AbortSignal }) => {
      signal?.addEventListener('abort', () => controller.abort(), { once: true })
      return value
    }
    // The other procedures stay in this router, so that tRPC refuses a second subscription with this id because of its
    // id, and not because its path is unknown.
    const procedures = Object.assign(Object.create(router._def.procedures as object) as object, {
      [path]: Object.assign(resolve, { _def: procedure._def }),
    })
    const facade = this.#create({ ...router, _def: { ...router._def, procedures } } as AnyTRPCRouter, () => ctx)
    const subscriber = iterableFor(controller.signal)?.subscriber
    this.#streams.set(facade, subscriber)
    if (subscriber) this.#endWith(facade, subscriber)
    const jsonrpc = prefix.includes('"jsonrpc"') ? { jsonrpc: '2.0' } : {}
    facade.deliver({ id, ...jsonrpc, method: 'subscription', params: { path } })
  }

  /** Makes the next call ask for the context again. Open subscriptions keep the old one. */
  renewContext(): void {
    if (!this.#current) return
    if (this.#current.subscriptions > 0 || this.#current.pending > 0) this.#others.add(this.#current)
    this.#current = null
  }

  /**
   * Stops sending location streams: when a socket closes, tRPC would send their end as the end of the subscriptions.
   */
  endStreams(): void {
    for (const facade of this.#streams.keys()) facade.mute()
  }

  /** Ends everything after the socket has closed. */
  close(): void {
    for (const facade of this.#all()) facade.close()
  }

  /** Handles the end of a wrapped stream. Without this, tRPC would send the end to the client as a final error. */
  #endWith(facade: TrpcFacade, subscriber: Subscriber): void {
    const release = subscriber.onEnded
    subscriber.onEnded = () => {
      release()
      const { endedBy } = subscriber
      // A revoked reader must not receive the frames that are still pending in its socket.
      if (endedBy === 'revoked' && this.#options.writer.isFull) return this.#options.onStreamEnded('slow')
      if (endedBy !== 'draining' && endedBy !== 'expired' && endedBy !== 'slow') return
      facade.mute()
      this.#options.onStreamEnded(endedBy)
    }
  }

  #facade(): TrpcFacade {
    return (this.#current ??= this.#create(this.#options.environment.router, this.#options.context))
  }

  #create(router: AnyTRPCRouter, createContext: () => unknown): TrpcFacade {
    const { environment, req, writer } = this.#options
    const { onError } = environment
    return new TrpcFacade({
      router,
      req,
      createContext,
      onError,
      isOpen: () => writer.isOpen,
      send: (text) => writer.text(text),
      pace: () => (writer.isFull ? new Promise<void>((resolve) => writer.wait({ flush: resolve })) : null),
      close: () => {},
      onSettled: () => this.#settle(),
    })
  }

  #settle(): void {
    for (const facades of [this.#others, this.#streams])
      for (const facade of facades.keys())
        if (facade.subscriptions === 0 && facade.pending === 0) facades.delete(facade)
    this.#options.onSettled()
  }

  #all(): TrpcFacade[] {
    return [...(this.#current ? [this.#current] : []), ...this.#others, ...this.#streams.keys()]
  }
}
