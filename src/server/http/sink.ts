import { OutgoingMessage, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Traffic } from '../options/metrics.js'
import type { Bytes, Encoded } from '../rooms/sse-encoding.js'

export type NodeRequest = (IncomingMessage | Http2ServerRequest) & { body?: unknown; path?: string }
/** HTTP/2's response has all of this but types of its own; `Http2ServerResponse.flushHeaders` and `write` do the same. */
export type NodeResponse = (ServerResponse | (Http2ServerResponse & ServerResponse)) & { flush?: () => void }

/** Where the events of one stream go. It holds nothing back: what it took is on its way, and when it is full it says so. */
export interface Sink<T = Encoded> {
  /** @returns false when the reader is behind: `onDrain` is called when it has caught up. */
  write(item: T): boolean
  onDrain: () => void
  /** Called when the reader takes not one byte for as long as `watch` says. */
  onStall: () => void
  /** 0: not watched. */
  watch(stallMs: number): void
  /** Ends the body. */
  end(): void
  /** Cuts the connection. */
  destroy(): void
}

/**
 * The way out for a response whose head is written. Straight to the socket when that is safe: on HTTP/1.1, with a chunked
 * body, and when nobody stands between (compression does, by putting a `write` of its own in place). It saves what
 * `res.write` costs on each event.
 */
export function sinkOf(request: NodeRequest, response: NodeResponse, traffic: Carried): Sink<Bytes> {
  return isDirect(request, response)
    ? new SocketSink(response, response.socket!, traffic)
    : new ResponseSink(response, traffic)
}

/** Where it is counted what went out. */
type Carried = Pick<Traffic, 'bytes'>

function isDirect(request: NodeRequest, response: NodeResponse): response is ServerResponse {
  return (
    request.httpVersion === '1.1' &&
    response instanceof OutgoingMessage &&
    response.write === OutgoingMessage.prototype.write &&
    response.chunkedEncoding &&
    response.socket !== null
  )
}

class SocketSink implements Sink<Bytes> {
  onDrain: () => void = () => {}
  onStall: () => void = () => {}
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #traffic: Carried
  #timeoutMs = 0
  #isWatched = false
  // Node's own timeout counts bytes that the kernel took of a write still under way, which nothing public tells.
  readonly #stalled = () => this.onStall()

  constructor(response: ServerResponse, socket: Socket, traffic: Carried) {
    this.#response = response
    this.#socket = socket
    this.#traffic = traffic
    const drained = () => this.onDrain()
    socket.on('drain', drained)
    // The socket may carry another response after this one.
    response.once('close', () => socket.off('drain', drained))
  }

  write({ chunk }: Bytes): boolean {
    this.#traffic.bytes += chunk.length
    return this.#socket.write(chunk)
  }

  watch(stallMs: number): void {
    // Heard of the response, since Node itself cuts a socket whose timeout nobody hears of; only while it is ours.
    this.#response.off('timeout', this.#stalled)
    if (stallMs > 0) this.#response.on('timeout', this.#stalled)
    // The app's server may have a timeout of its own on its sockets: it is back when we are done.
    if (stallMs > 0 && !this.#isWatched) this.#timeoutMs = this.#socket.timeout ?? 0
    this.#isWatched = stallMs > 0
    this.#socket.setTimeout(stallMs > 0 ? stallMs : this.#timeoutMs)
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

class ResponseSink implements Sink<Bytes> {
  onDrain: () => void = () => {}
  onStall: () => void = () => {}
  readonly #response: NodeResponse
  readonly #traffic: Carried

  constructor(response: NodeResponse, traffic: Carried) {
    this.#response = response
    this.#traffic = traffic
    response.on('drain', () => this.onDrain())
    response.on('timeout', () => this.onStall())
  }

  write({ body }: Bytes): boolean {
    this.#traffic.bytes += body.length
    const isFlowing = this.#response.write(body)
    // A compressing middleware holds back what it has until told.
    this.#response.flush?.()
    return isFlowing
  }

  watch(stallMs: number): void {
    this.#response.setTimeout(stallMs)
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }
}
