import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import type { OnError } from './trpc-answers.js'

type RequestId = number | string

export type FacadeOptions = {
  router: AnyTRPCRouter
  req: IncomingMessage
  createContext: () => unknown
  onError: OnError | undefined
  /** Returns true while the socket is open. */
  isOpen: () => boolean
  send: (text: string) => void
  close: () => void
  /** Called when a call was answered or a subscription has ended. */
  onSettled: () => void
}

const noBytes = Buffer.alloc(0)

/** The parts of a WebSocket that tRPC's handler uses. */
class FacadeClient extends EventEmitter {
  readonly #hears: () => boolean
  readonly #send: (text: string) => void
  readonly close: () => void

  constructor(hears: () => boolean, send: (text: string) => void, close: () => void) {
    super()
    this.#hears = hears
    this.#send = send
    this.close = close
  }

  get readyState(): number {
    return this.#hears() ? 1 : 3
  }

  send(text: string): void {
    if (this.#hears()) this.#send(text)
  }
}

/**
 * Hands messages to tRPC's own handler, which sees a WebSocket in it: for the app's own procedures, and for messages that
 * are not valid. tRPC answers them as it does without us.
 */
export class TrpcFacade {
  readonly #client: FacadeClient
  readonly #subscriptions = new Set<RequestId>()
  readonly #calls = new Set<RequestId>()
  readonly #onSettled: () => void
  #isMuted = false
  /** Messages for a handler that was just created; `null` afterwards. */
  #waiting: (() => void)[] | null = []
  /** The message that tRPC's handler decodes next, as it was parsed. */
  #parsed: { value: unknown } | undefined

  constructor({ router, req, createContext, onError, isOpen, send, close, onSettled }: FacadeOptions) {
    const hears = () => !this.#isMuted && isOpen()
    this.#onSettled = onSettled
    this.#client = new FacadeClient(hears, send, close)
    const options = {
      router,
      createContext,
      onError,
      experimental_encoder: {
        encode: (message: unknown) => this.#encode(message),
        decode: (data: unknown) => this.#decode(data),
      },
    }
    getWSConnectionHandler(options as unknown as Parameters<typeof getWSConnectionHandler>[0])(
      this.#client as never,
      req,
    )
    // tRPC waits for the connection parameters of its own. They have been read: `createContext` returns what became of them.
    if (/[?&]connectionParams=1(&|$)/.test(req.url ?? '')) this.#deliverParams()
  }

  #deliverParams(): void {
    this.#parsed = { value: { method: 'connectionParams', data: null } }
    this.#client.emit('message', noBytes, false)
  }

  /** The number of open subscriptions. */
  get subscriptions(): number {
    return this.#subscriptions.size
  }

  /** The number of queries and mutations without an answer. */
  get pending(): number {
    return this.#calls.size
  }

  /** Sends no more answers, for example because the end of a stream is not the end of its subscription. */
  mute(): void {
    this.#isMuted = true
  }

  owns(id: RequestId): boolean {
    return this.#subscriptions.has(id)
  }

  /** Handles a message, or an array of them, that was parsed as JSON. */
  deliver(parsed: unknown): void {
    for (const each of Array.isArray(parsed) ? parsed : [parsed]) this.#noteCall(each)
    this.#whenReady(() => {
      this.#parsed = { value: parsed }
      this.#client.emit('message', noBytes, false)
    })
  }

  /** Handles a message that is not JSON. */
  deliverRaw(data: Buffer, isBinary: boolean): void {
    this.#whenReady(() => {
      this.#parsed = undefined
      this.#client.emit('message', data, isBinary)
    })
  }

  /** tRPC's handler takes the context in a microtask, and reports errors without it before. */
  #whenReady(run: () => void): void {
    if (!this.#waiting) return run()
    if (this.#waiting.push(run) > 1) return
    setImmediate(() => {
      const waiting = this.#waiting!
      this.#waiting = null
      for (const each of waiting) each()
    })
  }

  /** Ends all subscriptions after the socket has closed. */
  close(): void {
    this.#subscriptions.clear()
    this.#calls.clear()
    this.#client.emit('close')
  }

  #noteCall(message: unknown): void {
    if (typeof message !== 'object' || message === null) return
    const { method, id } = message as { method?: unknown; id?: unknown }
    if (typeof id !== 'number' && typeof id !== 'string') return
    if (method === 'subscription') this.#subscriptions.add(id)
    else if (method === 'query' || method === 'mutation') this.#calls.add(id)
  }

  #decode(data: unknown): unknown {
    if (this.#parsed) return this.#parsed.value
    if (typeof data !== 'string') throw new Error('Send JSON as text.')
    return JSON.parse(data)
  }

  #encode(message: unknown): string {
    const { id, result, error } = message as { id: RequestId | null; result?: { type?: string }; error?: unknown }
    if (id !== null && !this.#calls.delete(id) && (error !== undefined || result?.type === 'stopped'))
      this.#subscriptions.delete(id)
    this.#onSettled()
    return JSON.stringify(message)
  }
}
