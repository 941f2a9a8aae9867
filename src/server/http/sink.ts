import { OutgoingMessage, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Traffic } from '../options/metrics.js'
import type { Bytes, Encoded } from '../rooms/sse-encoding.js'

export type NodeRequest = (IncomingMessage | Http2ServerRequest) & { body?: unknown; path?: string }
/**
 * A response of HTTP/1.1 or HTTP/2. HTTP/2's has the same methods under types of its own; its `flushHeaders` and
 * `write` behave the same.
 */
export type NodeResponse = (ServerResponse | (Http2ServerResponse & ServerResponse)) & { flush?: () => void }

/** The output of one stream. It has no queue: `write` passes everything on, and reports backpressure. */
export interface Sink<T = Encoded> {
  /** @returns false under backpressure: `onDrain` is called when the reader has caught up. */
  write(item: T): boolean
  onDrain: () => void
  /** Called when the reader accepts no byte for as long as `watch` allows. */
  onStall: () => void
  /** Sets the time without progress after which `onStall` is called; 0 disables it. */
  watch(stallMs: number): void
  /** Ends the body. */
  end(): void
  /** Destroys the connection. */
  destroy(): void
}

/**
 * Returns the sink for a response whose headers are sent. It writes directly to the socket when that is safe: on
 * HTTP/1.1, with a chunked body, and when no middleware has replaced `write`, as compression does. This saves the cost of
 * `response.write` for each event.
 */
export function sinkOf(request: NodeRequest, response: NodeResponse, traffic: ByteCount): Sink<Bytes> {
  return isDirect(request, response)
    ? new SocketSink(response, response.socket!, traffic)
    : new ResponseSink(response, traffic)
}

/** Counts the bytes sent. */
type ByteCount = Pick<Traffic, 'bytes'>

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
  readonly #traffic: ByteCount
  #timeoutMs = 0
  #isWatched = false
  // Node's own socket timeout also counts bytes that the kernel took of an unfinished write as progress; no public API
  // reports these bytes.
  readonly #stalled = () => this.onStall()

  constructor(response: ServerResponse, socket: Socket, traffic: ByteCount) {
    this.#response = response
    this.#socket = socket
    this.#traffic = traffic
    const drained = () => this.onDrain()
    socket.on('drain', drained)
    // With keep-alive, the same socket may carry another response later.
    response.once('close', () => socket.off('drain', drained))
  }

  write({ chunk }: Bytes): boolean {
    this.#traffic.bytes += chunk.length
    return this.#socket.write(chunk)
  }

  watch(stallMs: number): void {
    // Node destroys a socket when its timeout expires without a listener. So the response has a listener, but only
    // while the socket is watched.
    this.#response.off('timeout', this.#stalled)
    if (stallMs > 0) this.#response.on('timeout', this.#stalled)
    // The app's server may set its own socket timeout: it is restored when watching ends.
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
  readonly #traffic: ByteCount

  constructor(response: NodeResponse, traffic: ByteCount) {
    this.#response = response
    this.#traffic = traffic
    response.on('drain', () => this.onDrain())
    response.on('timeout', () => this.onStall())
  }

  write({ body }: Bytes): boolean {
    this.#traffic.bytes += body.length
    const isFlowing = this.#response.write(body)
    // A compressing middleware buffers its output until `flush` is called.
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
