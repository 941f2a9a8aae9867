import { inTime } from './demand.js'
import type { Message } from './event-stream.js'

/** A WebSocket to the server under test: one of the package `ws`, or the global `WebSocket`. */
export type ContractSocket = {
  /** Sends a text. */
  send(text: string): void
  /** Closes the socket. */
  close(): void
  /** Adds a listener. */
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: { type?: string; data?: unknown }) => void,
  ): void
}

/** A message of the server: an answer, or an event of a stream. */
type Received = {
  id: number | null
  result?: { type: string; id?: string; data?: unknown }
  error?: unknown
}
type Listener = (received: Received | null) => void

/**
 * A client that sends and receives the messages of PROTOCOL, "Over a WebSocket". The first call opens the socket; after
 * the socket has closed, the next call opens another.
 */
export class SocketWire {
  readonly #open: () => ContractSocket
  readonly #patienceMs: number
  #socket: Promise<ContractSocket> | null = null
  readonly #listeners = new Map<number, Listener>()
  #lastId = 0

  constructor(open: () => ContractSocket, patienceMs: number) {
    this.#open = open
    this.#patienceMs = patienceMs
  }

  /**
   * Sends a call. If the socket closes before the answer, the call is sent once more: a server closes sockets that are
   * idle.
   *
   * @param input the input as JSON, or a text that is not JSON.
   */
  async call(method: 'query' | 'mutation', path: string, input: string): Promise<Received> {
    const received = (await this.#try(method, path, input)) ?? (await this.#try(method, path, input))
    if (!received) throw new Error('PROTOCOL is broken: a socket stays open while a call has no answer.')
    return received
  }

  async #try(method: string, path: string, input: string): Promise<Received | null> {
    const id = this.#newId()
    const answered = new Promise<Received | null>((resolve) => this.#listeners.set(id, resolve))
    await this.#send(`{"id":${id},"method":"${method}","params":{"path":"${path}","input":${input}}}`)
    const received = await inTime(answered, this.#patienceMs, `${path} answers within patienceMs.`)
    this.#listeners.delete(id)
    return received
  }

  /** Opens a stream; `close` ends it. Its messages have the form of the messages of an event stream. */
  async stream(path: string, input: string, lastEventId: string | undefined) {
    const id = this.#newId()
    const params = `"path":"${path}","input":${input}${lastEventId === undefined ? '' : `,"lastEventId":"${lastEventId}"`}`
    const queue = new Queue<Received | null>()
    this.#listeners.set(id, (received) => queue.push(received))
    await this.#send(`{"id":${id},"method":"subscription","params":{${params}}}`)
    const close = () => void this.#send(`{"id":${id},"method":"subscription.stop"}`).catch(() => {})
    return { messages: messagesOf(queue), close }
  }

  /** Closes the socket. */
  close(): void {
    this.#socket?.then((socket) => socket.close()).catch(() => {})
  }

  #newId(): number {
    return (this.#lastId += 1)
  }

  async #send(text: string): Promise<void> {
    const rule = 'a WebSocket opens within patienceMs.'
    const socket = await inTime((this.#socket ??= this.#connect()), this.#patienceMs, rule)
    socket.send(text)
  }

  #connect(): Promise<ContractSocket> {
    const socket = this.#open()
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve(socket))
      socket.addEventListener('message', ({ data }) => this.#receive(String(data)))
      socket.addEventListener('error', () => reject(new Error('The WebSocket could not be opened.')))
      socket.addEventListener('close', () => {
        reject(new Error('The WebSocket has closed.'))
        this.#socket = null
        for (const listener of this.#listeners.values()) listener(null)
      })
    })
  }

  #receive(text: string): void {
    if (!text.startsWith('{')) return
    const received = JSON.parse(text) as Received
    // An error without an id answers a message that the server could not parse (PARSE_ERROR): it belongs to the latest
    // call. After any other error without an id, the server closes the socket.
    if (received.id === null && !text.includes('PARSE_ERROR')) return
    this.#listeners.get(received.id ?? this.#lastId)?.(received)
  }
}

async function* messagesOf(queue: Queue<Received | null>): AsyncGenerator<Message, void> {
  for (;;) {
    const received = await queue.next()
    if (!received || received.result?.type === 'stopped') return
    const { result, error } = received
    if (error) yield { event: 'serialized-error', id: '', data: JSON.stringify(error) }
    else if (result?.type === 'data') yield { event: 'message', id: result.id ?? '', data: JSON.stringify(result.data) }
  }
}

class Queue<T> {
  readonly #items: T[] = []
  #wake = () => {}

  push(item: T): void {
    this.#items.push(item)
    this.#wake()
  }

  async next(): Promise<T> {
    while (this.#items.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#items.shift()!
  }
}
