import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AnyTRPCRouter } from '@trpc/server'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { PacedSubscriptions, type Pace } from './paced-subscriptions.js'
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
  /** Delays the values of subscriptions while the client does not read. */
  pace: Pace
  close: () => void
  /** Called when a call was answered or a subscription has ended. */
  onSettled: () => void
}

type Answer = { id: RequestId | null; result?: { type?: string }; error?: unknown }

const noBytes = Buffer.alloc(0)
/**
 * The prefix of the ids that tRPC's handler sees. It is longer than any id that a client may send, so the two cannot
 * collide.
 */
const internalIds = 'call '.padEnd(65, '-')

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
 * Passes messages to tRPC's own WebSocket handler, which takes this object for a WebSocket: calls of the app's own
 * procedures, and messages that are not valid. tRPC answers them as it would without this package.
 */
export class TrpcFacade {
  readonly #client: FacadeClient
  readonly #paced: PacedSubscriptions
  /**
   * The open subscriptions by id. `requests` also counts the requests that repeat the id of an open subscription, until
   * tRPC has refused them.
   */
  readonly #subscriptions = new Map<RequestId, { path: string; requests: number }>()
  /** The ids that clients gave to queries and mutations, by the ids that tRPC's handler sees. */
  readonly #calls = new Map<string, RequestId>()
  #callsBefore = 0
  #isMuted = false
  /** Messages that wait until a new handler is ready; `null` from then on. */
  #waiting: (() => void)[] | null = []
  /** The message that tRPC's handler decodes next, as it was parsed. */
  #parsed: { value: unknown } | undefined

  constructor({ router, req, createContext, onError, isOpen, send, pace, close, onSettled }: FacadeOptions) {
    this.#paced = new PacedSubscriptions(router, pace)
    const hears = () => !this.#isMuted && isOpen()
    const sendAndSettle = (text: string) => {
      send(text)
      // `onSettled` closes a draining socket, so the last answer is sent first.
      onSettled()
    }
    this.#client = new FacadeClient(hears, sendAndSettle, close)
    const options = {
      router: this.#paced.router,
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
    // tRPC's handler waits for a message with connection parameters. They were read before, so it gets an empty one;
    // `createContext` returns the context that was created with them.
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

  /** Stops sending answers, for example because a stream ends whose subscription does not. */
  mute(): void {
    this.#isMuted = true
  }

  owns(id: RequestId): boolean {
    return this.#subscriptions.has(id)
  }

  /** Handles a valid message, or an array of them, that was parsed as JSON. */
  deliver(parsed: unknown): void {
    this.deliverInvalid(Array.isArray(parsed) ? parsed.map((each) => this.#noteCall(each)) : this.#noteCall(parsed))
  }

  /** Handles a message, or an array of them, to which tRPC answers without the id of a request. */
  deliverInvalid(parsed: unknown): void {
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

  /**
   * Delays messages until tRPC's handler has the context, which takes a microtask. Errors before that would be reported
   * without a context.
   */
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

  /**
   * Counts a request, and returns the message for tRPC's handler. A query or mutation gets an id of our own, because a
   * client may use one id for several calls.
   */
  #noteCall(message: unknown): unknown {
    const { method, id, params } = message as { method: string; id: RequestId | null; params?: { path: string } }
    if (id === null || id === undefined) return message
    if (method === 'subscription') this.#noteSubscription(id, params!.path)
    if (method !== 'query' && method !== 'mutation') return message
    const internal = `${internalIds}${(this.#callsBefore += 1)}`
    this.#calls.set(internal, id)
    return { ...(message as object), id: internal }
  }

  #noteSubscription(id: RequestId, path: string): void {
    const open = this.#subscriptions.get(id)
    if (open) {
      open.requests += 1
      return
    }
    this.#subscriptions.set(id, { path, requests: 1 })
    this.#paced.add(path)
  }

  #noteEnd(id: RequestId): void {
    const open = this.#subscriptions.get(id)
    if (!open) return
    open.requests -= 1
    if (open.requests > 0) return
    this.#subscriptions.delete(id)
    this.#paced.delete(open.path)
  }

  #decode(data: unknown): unknown {
    if (this.#parsed) return this.#parsed.value
    if (typeof data !== 'string') throw new Error('Send JSON as text.')
    return JSON.parse(data)
  }

  #encode(message: unknown): string {
    const { id, result, error } = message as Answer
    const given = this.#calls.get(id as string)
    // The id is removed after this line: when `JSON.stringify` throws, tRPC sends an error with the same id.
    const text = JSON.stringify(given === undefined ? message : { ...(message as Answer), id: given })
    if (given !== undefined) this.#calls.delete(id as string)
    else if (id !== null && (error !== undefined || result?.type === 'stopped')) this.#noteEnd(id)
    return text
  }
}
