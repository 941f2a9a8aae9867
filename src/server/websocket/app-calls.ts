import type { IncomingMessage } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import type { ByeReason } from '../../shared/events.js'
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

/** What a socket leaves to tRPC: calls of the app's own procedures, and location streams that a middleware has wrapped. */
export class AppCalls {
  readonly #options: AppCallsOptions
  /** The facade that takes new messages. */
  #current: TrpcFacade | null = null
  /** Facades of earlier contexts, and those of wrapped streams: each is kept while it has a subscription. */
  readonly #others = new Set<TrpcFacade>()
  readonly #streams = new Set<TrpcFacade>()

  constructor(options: AppCallsOptions) {
    this.#options = options
  }

  get isIdle(): boolean {
    return this.pending === 0 && this.#all().every(({ subscriptions }) => subscriptions === 0)
  }

  /** The number of queries and mutations without an answer. */
  get pending(): number {
    return this.#all().reduce((sum, { pending }) => sum + pending, 0)
  }

  owns(id: number | string): boolean {
    return this.#all().some((facade) => facade.owns(id))
  }

  deliver(parsed: unknown): void {
    const { id, method } = (parsed ?? {}) as { id?: unknown; method?: unknown }
    const owner =
      method === 'subscription.stop' || method === 'subscription'
        ? this.#all().find((facade) => facade.owns(id as number | string))
        : undefined
    ;(owner ?? this.#facade()).deliver(parsed)
  }

  /** Lets tRPC answer messages of which at least one is not valid: it runs none of them. */
  deliverInvalid(parsed: unknown): void {
    this.#facade().deliverInvalid(parsed)
  }

  deliverRaw(data: Buffer, isBinary: boolean): void {
    this.#facade().deliverRaw(data, isBinary)
  }

  /** Lets tRPC send a stream that was opened before. */
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
    const procedures = { [path]: Object.assign(resolve, { _def: procedure._def }) }
    const facade = this.#create({ ...router, _def: { ...router._def, procedures } } as AnyTRPCRouter, () => ctx)
    this.#streams.add(facade)
    this.#endWith(facade, controller.signal)
    const jsonrpc = prefix.includes('"jsonrpc"') ? { jsonrpc: '2.0' } : {}
    facade.deliver({ id, ...jsonrpc, method: 'subscription', params: { path } })
  }

  /** Asks for the context again at the next call. Open subscriptions keep theirs. */
  renewContext(): void {
    if (!this.#current) return
    if (this.#current.subscriptions > 0 || this.#current.pending > 0) this.#others.add(this.#current)
    this.#current = null
  }

  /** Sends nothing more of location streams: their end here is not the end of their subscriptions. */
  endStreams(): void {
    for (const facade of this.#streams) facade.mute()
  }

  /** Ends everything after the socket has closed. */
  close(): void {
    for (const facade of this.#all()) facade.close()
  }

  /** tRPC would send the end of a stream to its client as a final error. */
  #endWith(facade: TrpcFacade, signal: AbortSignal): void {
    const subscriber = iterableFor(signal)?.subscriber
    if (!subscriber) return
    const release = subscriber.onEnded
    subscriber.onEnded = () => {
      release()
      const { endedBy } = subscriber
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
      close: () => {},
      onSettled: () => this.#settle(),
    })
  }

  #settle(): void {
    for (const facades of [this.#others, this.#streams])
      for (const facade of facades) if (facade.subscriptions === 0 && facade.pending === 0) facades.delete(facade)
    this.#options.onSettled()
  }

  #all(): TrpcFacade[] {
    return [...(this.#current ? [this.#current] : []), ...this.#others, ...this.#streams]
  }
}
