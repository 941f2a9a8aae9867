import type { Clock } from '../shared/clock.js'
import type { LocationError } from '../shared/errors.js'
import type { Sink } from './sink.js'
import { ping, serializedError, type Serializer } from './sse.js'
import type { Subscriber } from './subscriber.js'

export type AttachedOptions = {
  serializer: Serializer
  clock: Clock
  /** Cut when the reader took no byte for so long, or did not take all of one frame. */
  stallMs: number
  frameStallMs: number
  /** Says that the stream is alive after so long without an event; 0: never, a beat does. */
  pingMs: number
  /** Ends the body after so long; 0: never. */
  maxDurationMs: number
  /** What tRPC would tell the client of an error. */
  formatError: (error: LocationError) => unknown
}

/**
 * A subscriber whose frames go straight to a socket. While the socket is full it is sent nothing; when it has drained, one
 * frame that leads from where it stands to now.
 */
export class AttachedStream {
  readonly #subscriber: Subscriber
  readonly #sink: Sink
  readonly #options: AttachedOptions
  #isFull = false
  #isOver = false
  #writtenAt: number
  #callOffDuration = () => {}
  #callOffPing = () => {}
  #callOffFrame = () => {}

  constructor(subscriber: Subscriber, sink: Sink, options: AttachedOptions) {
    this.#subscriber = subscriber
    this.#sink = sink
    this.#options = options
    this.#writtenAt = options.clock.now()
    const { clock, pingMs, maxDurationMs } = options
    if (maxDurationMs > 0) this.#callOffDuration = clock.after(maxDurationMs, () => this.#outlive())
    if (pingMs > 0) this.#pingAfter(pingMs)
    sink.onDrain = () => this.#drained()
    sink.onStall = () => this.#isFull && this.#cut()
    subscriber.onOwed = () => this.#flush()
    this.#flush()
  }

  /** The reader went away. */
  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    this.#subscriber.close()
  }

  #flush(): void {
    if (this.#isOver) return
    // What a slow reader has still to take must not be the last that somebody hears who may no longer read.
    if (this.#isFull) return this.#subscriber.isOpen ? undefined : this.#cut()
    const { serializer, clock } = this.#options
    const { traffic } = this.#subscriber.room
    for (let frame = this.#subscriber.take(); frame; frame = this.#subscriber.take()) {
      const encoded = frame.encoded(serializer)
      traffic.frames += 1
      traffic.bytes += encoded.chunk.length
      if (this.#sink.write(encoded)) continue
      this.#filled()
      break
    }
    if (this.#options.pingMs > 0) this.#writtenAt = clock.now()
    if (this.#subscriber.isClosed) this.#end()
  }

  /** The server's end of it: an error if there is one, and no word of a return, so that the client comes back. */
  #end(): void {
    this.#isOver = true
    this.#release()
    const { endedWith } = this.#subscriber
    if (endedWith) this.#sink.write(serializedError(this.#options.formatError(endedWith)))
    this.#sink.end()
  }

  /** As tRPC does it after its `maxDurationMs`: the body just ends. */
  #outlive(): void {
    this.close()
    this.#sink.end()
  }

  #filled(): void {
    this.#isFull = true
    const { clock, stallMs, frameStallMs } = this.#options
    this.#sink.watch(stallMs)
    this.#callOffFrame = clock.after(frameStallMs, () => this.#cut())
  }

  #drained(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#sink.watch(0)
    this.#callOffFrame()
    this.#flush()
  }

  #cut(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    this.#subscriber.end('slow')
    this.#sink.destroy()
  }

  #pingAfter(waitMs: number): void {
    const { clock, pingMs } = this.#options
    this.#callOffPing = clock.after(waitMs, () => {
      const silenceMs = clock.now() - this.#writtenAt
      if (silenceMs < pingMs) return this.#pingAfter(pingMs - silenceMs)
      if (!this.#isFull) this.#sink.write(ping)
      this.#writtenAt = clock.now()
      this.#pingAfter(pingMs)
    })
  }

  #release(): void {
    this.#callOffDuration()
    this.#callOffPing()
    this.#callOffFrame()
    this.#subscriber.onOwed = () => {}
  }
}
