import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../rooms/frames.js'
import type { Sink } from './sink.js'
import { ping, serializedError, type Encoded, type Serializer } from '../rooms/sse-encoding.js'
import type { Subscriber } from '../rooms/subscriber.js'

export type SocketStreamOptions = {
  serializer: Serializer
  clock: Clock
  /** Destroys the stream when its client accepts no byte for this long. */
  stallMs: number
  /** Destroys the stream when its client does not accept all of one frame within this time. */
  frameStallMs: number
  /** Sends tRPC's ping after this long without an event. 0 disables the ping: heartbeats serve the same purpose. */
  pingMs: number
  /** Ends the response body after this long; 0 means no limit. */
  maxDurationMs: number
  /** Called after `maxDurationMs` has ended the body. */
  onMaxDuration: () => void
  /** Returns an error in the form in which tRPC would send it to the client. */
  formatError: (error: Error) => unknown
}

/**
 * Writes a subscriber's frames directly to a socket. A slow consumer is sent nothing while its socket is full. After
 * the socket has drained, one coalesced frame leads from the subscriber's version to the current one.
 */
export class SocketStream {
  readonly #subscriber: Subscriber
  readonly #sink: Sink
  readonly #options: SocketStreamOptions
  #isFull = false
  #fullSince = 0
  #hasFrameTimer = false
  #isOver = false
  #writtenAt: number
  /** When the socket last reported a stall; `-Infinity` before the first report. */
  #stalledAt = -Infinity
  #cancelDuration = () => {}
  #cancelPing = () => {}
  #cancelFrameTimer = () => {}

  constructor(subscriber: Subscriber, sink: Sink, options: SocketStreamOptions) {
    this.#subscriber = subscriber
    this.#sink = sink
    this.#options = options
    this.#writtenAt = options.clock.now()
    const { clock, pingMs, maxDurationMs } = options
    if (maxDurationMs > 0) this.#cancelDuration = clock.after(maxDurationMs, () => this.#endByDuration())
    if (pingMs > 0) this.#pingAfter(pingMs)
    sink.onDrain = () => this.#handleDrain()
    sink.onStall = () => this.#handleStall()
    subscriber.onOwed = () => this.#flush()
    this.#flush()
  }

  /** Closes the stream after its reader has disconnected. */
  close(): void {
    this.#cancelFrameTimer()
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    this.#subscriber.close()
  }

  #flush(): void {
    if (this.#isOver) return
    // A revoked reader must not receive the frame that is still pending in its socket.
    if (this.#isFull) return this.#subscriber.endedBy === 'revoked' ? this.#destroy() : undefined
    const { pingMs, clock } = this.#options
    const { traffic } = this.#subscriber.room
    for (let frame = this.#subscriber.take(); frame; frame = this.#subscriber.take()) {
      const encoded = this.#encode(frame)
      if (!encoded) return
      traffic.frames += 1
      if (this.#sink.write(encoded)) continue
      this.#handleFull()
      break
    }
    if (pingMs > 0) this.#writtenAt = clock.now()
    if (this.#subscriber.isClosed) this.#end(this.#subscriber.endedWith)
  }

  /** Returns the bytes of a frame. When the app's transformer throws, the stream ends with the error. */
  #encode(frame: Frame): Encoded | null {
    try {
      return frame.encoded(this.#options.serializer)
    } catch (cause) {
      this.#subscriber.onOwed = () => {}
      this.#subscriber.close()
      this.#end(cause as Error)
      return null
    }
  }

  /**
   * Ends the stream from the server's side, with an error if there is one. tRPC's `return` event is not sent, so that
   * the client reconnects.
   */
  #end(error: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    try {
      if (error) this.#sink.write(serializedError(this.#options.formatError(error)))
    } catch {
      // The app's error formatter threw: the body ends without an error, as tRPC's does.
    }
    this.#sink.end()
  }

  /** Ends the body without a final event, as tRPC does after `maxDurationMs`. */
  #endByDuration(): void {
    this.close()
    this.#sink.end()
    this.#options.onMaxDuration()
  }

  #handleFull(): void {
    const { clock, stallMs, frameStallMs } = this.#options
    this.#isFull = true
    this.#fullSince = clock.now()
    this.#stalledAt = -Infinity
    this.#sink.watch(stallMs / 2)
    if (!this.#hasFrameTimer) this.#startFrameTimer(frameStallMs)
  }

  /**
   * Starts the timer for `frameStallMs`. One timer keeps running across frames: otherwise each large frame would start
   * a timer and cancel it again.
   */
  #startFrameTimer(waitMs: number): void {
    const { clock, frameStallMs } = this.#options
    this.#hasFrameTimer = true
    this.#cancelFrameTimer = clock.after(waitMs, () => {
      this.#hasFrameTimer = false
      if (!this.#isFull) return
      const leftMs = frameStallMs - (clock.now() - this.#fullSince)
      if (leftMs > 0) this.#startFrameTimer(leftMs)
      else this.#destroy()
    })
  }

  #handleDrain(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#sink.watch(0)
    if (this.#isOver) this.#cancelFrameTimer()
    this.#flush()
  }

  /**
   * Destroys the stream at the second consecutive stall report. The sink watches the socket for half of `stallMs` at a
   * time, and reports a stall only if the client accepted no byte in that time.
   */
  #handleStall(): void {
    if (!this.#isFull) return
    const { clock, stallMs } = this.#options
    if (clock.now() - this.#stalledAt < stallMs * 0.75) return this.#destroy()
    this.#stalledAt = clock.now()
    this.#sink.watch(stallMs / 2)
  }

  #destroy(): void {
    if (!this.#isFull) return
    this.#isOver = true
    this.#isFull = false
    this.#release()
    this.#subscriber.end('slow')
    this.#sink.destroy()
  }

  #pingAfter(waitMs: number): void {
    const { clock, pingMs } = this.#options
    this.#cancelPing = clock.after(waitMs, () => {
      const silenceMs = clock.now() - this.#writtenAt
      if (silenceMs < pingMs) return this.#pingAfter(pingMs - silenceMs)
      if (!this.#isFull) this.#sink.write(ping)
      this.#writtenAt = clock.now()
      this.#pingAfter(pingMs)
    })
  }

  #release(): void {
    this.#cancelDuration()
    this.#cancelPing()
    // While the socket is full, the frame timer keeps running: the rest of a body that has ended may stall too.
    if (!this.#isFull) this.#cancelFrameTimer()
    this.#subscriber.onOwed = () => {}
  }
}
