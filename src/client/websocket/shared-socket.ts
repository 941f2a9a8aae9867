import type { Clock } from '../../shared/clock.js'
import { SocketConnection, type SocketLike } from './socket-connection.js'
import type { SseFallback } from './sse-fallback.js'

/** The time in which a socket must open, and a stream on it must begin, in milliseconds. */
export const beginMs = 4_000
/** The time in milliseconds after which a socket that nobody uses is closed. */
const idleMs = 1_000

export type SocketAddress = {
  url: string | URL
  connectionParams?: () => Record<string, string> | Promise<Record<string, string>>
  WebSocket?: new (url: string) => SocketLike
}

/** The one socket of a client: opened when it is needed, and closed when nobody uses it. */
export class SharedSocket {
  readonly #address: SocketAddress
  readonly #clock: Clock
  readonly #fallback: SseFallback
  #connection: SocketConnection | null = null
  #stopIdle = () => {}
  /** The listeners to call when any message has arrived on the socket. */
  readonly hearing = new Set<() => void>()
  readonly #close = () => this.close()

  constructor(address: SocketAddress, clock: Clock, fallback: SseFallback) {
    this.#address = address
    this.#clock = clock
    this.#fallback = fallback
  }

  /** The socket if it can send messages at once; otherwise `null`. */
  get ready(): SocketConnection | null {
    return this.#connection?.isReady ? this.#connection : null
  }

  /** Returns the socket, which may still be opening. @throws Error where there are no WebSockets, or for a wrong URL. */
  use(): SocketConnection {
    return (this.#connection ??= this.#connect())
  }

  close(): void {
    this.#connection?.close()
  }

  /** Closes the socket after a second, if no request uses it then. */
  closeWhenIdle(): void {
    this.#stopIdle()
    this.#stopIdle = this.#clock.after(idleMs, () => {
      if (this.#connection?.isIdle) this.close()
    })
  }

  #connect(): SocketConnection {
    const connection = this.#open()
    // Closed on `pagehide`: a browser does not keep a page with an open socket in the back/forward cache.
    if (typeof document !== 'undefined') globalThis.addEventListener('pagehide', this.#close)
    return connection
  }

  #open(): SocketConnection {
    try {
      return new SocketConnection({
        open: () => openSocket(this.#address),
        clock: this.#clock,
        openMs: beginMs,
        connectionParams: this.#address.connectionParams,
        heard: () => this.hearing.forEach((heard) => heard()),
        closed: (hasFailed) => {
          this.#connection = null
          if (typeof document !== 'undefined') globalThis.removeEventListener('pagehide', this.#close)
          if (hasFailed) this.#fallback.failed()
        },
      })
    } catch (thrown) {
      this.#fallback.failed()
      throw thrown
    }
  }
}

function openSocket({ url, connectionParams, WebSocket }: SocketAddress): SocketLike {
  const Socket = WebSocket ?? (globalThis as { WebSocket?: new (url: string) => SocketLike }).WebSocket
  if (!Socket) throw new Error('this runtime has no WebSocket')
  const base = typeof document === 'undefined' ? undefined : document.baseURI
  const address = new URL(url, base)
  address.protocol = address.protocol.replace('http', 'ws')
  if (connectionParams) address.searchParams.set('connectionParams', '1')
  return new Socket(address.href)
}
