import { LocationError } from '../../shared/errors.js'
import type { Clock } from '../../shared/clock.js'
import { cut, failureOf, type Failure } from '../connection/failure.js'
import { checkLength } from '../connection/wire-limits.js'

/** The parts of a WebSocket that we use: a browser's, Node's, or that of `ws`. */
export type SocketLike = {
  /** 1 while the socket is open. */
  readonly readyState: number
  /** Sends a text. */
  send(text: string): void
  /** Closes the socket. */
  close(): void
  /** Adds a listener. */
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: { data?: unknown; code?: number }) => void,
  ): void
}

/** The callbacks of one request on a socket. */
export type RequestListener = {
  /** A message about the request has arrived. */
  message(result: { type?: string; data?: unknown }): void
  /** The server refused the request. */
  refused(error: object): void
  /** The socket has closed. */
  closed(failure: Failure): void
}

export type SocketConnectionOptions = {
  open: () => SocketLike
  clock: Clock
  /** The time in which the socket must open. */
  openMs: number
  connectionParams: (() => unknown) | undefined
  /** Called when any message has arrived. */
  heard: () => void
  /**
   * Called once, when the socket has closed. `hasFailed`: it failed before any hello, and the server gave no reason.
   */
  closed: (hasFailed: boolean) => void
}

const openState = 1

/** One WebSocket: its requests, by their ids. */
export class SocketConnection {
  readonly #options: SocketConnectionOptions
  readonly #requests = new Map<number, RequestListener>()
  /** Texts that are sent when the socket has opened, by the ids of their requests. */
  readonly #waiting = new Map<number, string>()
  readonly #socket: SocketLike
  readonly #stopTimer: () => void
  #hasBroughtHello = false
  #isOver = false
  #isReady = false
  /** The error that the server gave before it closes the socket. */
  #reason: Failure | undefined
  #streams = 0
  #calls = 0

  constructor(options: SocketConnectionOptions) {
    this.#options = options
    // `open` may throw, so it is called before the timer is started, which would otherwise stay.
    this.#socket = options.open()
    this.#stopTimer = options.clock.after(options.openMs, () => this.end(cut('the WebSocket did not open')))
    this.#socket.addEventListener('open', () => void this.#greet())
    this.#socket.addEventListener('message', ({ data }) => this.#receive(data))
    this.#socket.addEventListener('close', ({ code }) =>
      this.end(this.#reason ?? cut(`the WebSocket was closed, ${code}`)),
    )
    this.#socket.addEventListener('error', () => this.end(this.#reason ?? cut('the WebSocket failed')))
  }

  /** True while messages can be sent at once. */
  get isReady(): boolean {
    return this.#isReady && this.#socket.readyState === openState
  }

  get isIdle(): boolean {
    return this.#requests.size === 0
  }

  /** Sends a request as soon as the socket is open. @returns the id of the request. */
  request(method: 'mutation' | 'subscription', params: object, listener: RequestListener): number {
    // Streams are numbered 1, 2, 3 and calls -1, -2, -3: the server caches whole messages for the ids that many clients
    // use.
    const id = method === 'subscription' ? ++this.#streams : --this.#calls
    // Params that are not JSON throw: before the request is remembered, or the socket would never be idle.
    const text = JSON.stringify({ id, method, params })
    this.#requests.set(id, listener)
    if (this.isReady) this.#socket.send(text)
    else this.#waiting.set(id, text)
    if (method === 'subscription') this.#ping()
    return id
  }

  /** Remembers that a stream on this socket has begun: WebSockets work. */
  hello(): void {
    this.#hasBroughtHello = true
  }

  /** Forgets a request. */
  forget(id: number): void {
    this.#requests.delete(id)
  }

  /** Ends a stream. */
  stop(id: number): void {
    if (!this.#requests.delete(id) || this.#waiting.delete(id)) return
    if (this.isReady) this.#socket.send(JSON.stringify({ id, method: 'subscription.stop' }))
  }

  /** Closes a socket that the client does not need any more, and tells each of its requests. */
  close(): void {
    this.#finish(cut('closed by the client'), false)
  }

  /** Closes a socket that has failed, and tells each of its requests. */
  end(failure: Failure): void {
    this.#finish(failure, !this.#hasBroughtHello && !failure.answered)
  }

  #finish(failure: Failure, hasFailed: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopTimer()
    this.#socket.close()
    this.#options.closed(hasFailed)
    for (const { closed } of this.#requests.values()) closed(failure)
    this.#requests.clear()
  }

  async #greet(): Promise<void> {
    const { connectionParams } = this.#options
    try {
      if (connectionParams)
        this.#socket.send(JSON.stringify({ method: 'connectionParams', data: await connectionParams() }))
    } catch (thrown) {
      return this.end(failureOf(thrown))
    }
    this.#stopTimer()
    this.#isReady = true
    for (const text of this.#waiting.values()) this.#socket.send(text)
    this.#waiting.clear()
    this.#ping()
  }

  /** Sends a PING. A server answers it at once, even while it lets a stream wait; on a dead socket no answer comes. */
  #ping(): void {
    if (this.isReady) this.#socket.send('PING')
  }

  #receive(data: unknown): void {
    if (this.#isOver || typeof data !== 'string') return
    this.#options.heard()
    if (data === 'PING') return this.#socket.send('PONG')
    if (data === 'PONG') return
    try {
      checkLength(data.length)
      this.#take(JSON.parse(data) as Answer)
    } catch (cause) {
      const error = new LocationError('network', 'A message of the WebSocket does not follow the protocol.', { cause })
      this.end({ error, retry: true })
    }
  }

  #take({ id, result, error }: Answer): void {
    if (id === null) {
      if (error) this.#reason = { ...refusalOf(error), retry: true }
      return
    }
    const request = this.#requests.get(id)
    if (error) {
      this.forget(id)
      request?.refused(error)
    } else if (result) request?.message(result)
  }
}

type Answer = { id: number | null; result?: { type?: string; data?: unknown }; error?: object }

/** Returns the failure of an error that the server sent. */
export function refusalOf(shape: object): Failure {
  const { message, data } = shape as { message?: string; data?: object }
  return failureOf({ message, shape, data })
}
