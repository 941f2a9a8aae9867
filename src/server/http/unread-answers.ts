import { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../options/timing.js'
import type { NodeResponse } from './sink.js'

/** The two write timeouts of a response: `stallMs` without any progress, and `frameStallMs` for all of the response. */
export type WriteTimeouts = Pick<Timing, 'stallMs' | 'frameStallMs'>

/**
 * Destroys the socket of a response that its client does not read: when the kernel took no byte for `stallMs`, or when
 * it did not take all of the response within `frameStallMs`. Over HTTP/2, whose streams share a socket, it destroys the
 * stream. Event streams are left to `SocketStream`. Node itself has no write timeout, and a response that nobody reads
 * would stay in memory as long as its client likes.
 */
export function cutWhenUnread(
  response: NodeResponse | Http2ServerResponse,
  clock: Clock,
  timeouts: WriteTimeouts,
): void {
  if (timeouts.stallMs <= 0 || isClosed(response)) return
  if (response instanceof ServerResponse) new AnswerWatch(response, clock, timeouts).start()
  else if (response instanceof Http2ServerResponse) cutStreamWhenUnread(response, clock, timeouts)
}

/**
 * Destroys an HTTP/2 stream whose client does not read the response. Node limits the memory of one HTTP/2 session (10
 * MB), but not the time for which the memory is held.
 */
function cutStreamWhenUnread(response: Http2ServerResponse, clock: Clock, timeouts: WriteTimeouts): void {
  const { stream } = response
  const { stallMs, frameStallMs } = timeouts
  const cut = () => stream.destroy()
  let cancelTimer = () => {}
  const check = () => {
    if (isEventStream(response)) return
    if (stream.writableLength === 0) return void (cancelTimer = clock.after(stallMs / 2, check))
    cancelTimer = clock.after(frameStallMs, cut)
    // Node calls this listener when the whole session wrote nothing for half of `stallMs`, even if the app has nothing
    // to write. So the stream is destroyed only while bytes wait to be written.
    stream.setTimeout(stallMs / 2, () => {
      if (stream.writableLength > 0) cut()
    })
  }
  cancelTimer = clock.after(stallMs / 2, check)
  stream.once('close', () => cancelTimer())
}

class AnswerWatch {
  readonly #response: ServerResponse
  readonly #clock: Clock
  readonly #timeouts: WriteTimeouts
  #socket: Socket | null = null
  #usualTimeoutMs = 0
  #cancelTimer = () => {}
  readonly #check = () => this.#checkProgress()
  // Runs when the kernel took no byte for as long as the socket's timeout allows. The socket is destroyed if bytes
  // still wait.
  readonly #handleTimeout = () => {
    if (this.#socket!.writableLength > 0) this.#socket!.destroy()
  }

  constructor(response: ServerResponse, clock: Clock, timeouts: WriteTimeouts) {
    this.#response = response
    this.#clock = clock
    this.#timeouts = timeouts
  }

  start(): void {
    this.#checkLater()
    // Prepended, because it must run before Node's own listener, which sets the timeout of an idle connection.
    this.#response.prependOnceListener('finish', () => this.#stop())
    this.#response.once('close', () => this.#cancelTimer())
  }

  #checkLater(): void {
    this.#cancelTimer = this.#clock.after(this.#timeouts.stallMs / 2, this.#check)
  }

  #checkProgress(): void {
    const { socket } = this.#response
    if (isEventStream(this.#response)) return
    if (socket && socket.writableLength > 0) this.#watch(socket)
    else this.#checkLater()
  }

  /**
   * Stops reading from the client until the client has read this response: bytes that arrive would count as progress.
   */
  #watch(socket: Socket): void {
    const { stallMs, frameStallMs } = this.#timeouts
    this.#socket = socket
    this.#usualTimeoutMs = socket.timeout ?? 0
    socket.pause()
    this.#response.on('timeout', this.#handleTimeout)
    socket.setTimeout(stallMs / 2)
    this.#cancelTimer = this.#clock.after(frameStallMs, () => socket.destroy())
  }

  #stop(): void {
    this.#cancelTimer()
    if (!this.#socket) return
    this.#response.off('timeout', this.#handleTimeout)
    this.#socket.setTimeout(this.#usualTimeoutMs)
    this.#socket.resume()
  }
}

/**
 * True when the client disconnected before the response reached this package, for example during an app's own
 * middleware. `close` is not emitted again after that.
 */
const isClosed = (response: NodeResponse | Http2ServerResponse) =>
  response instanceof Http2ServerResponse ? response.stream.destroyed : response.destroyed

const isEventStream = (response: Pick<ServerResponse, 'getHeader'>) =>
  String(response.getHeader('content-type')).startsWith('text/event-stream')
