import type { Clock } from '../../shared/clock.js'
import type { Frame } from '../rooms/frames.js'
import type { Sink } from './sink.js'
import { ping, serializedError, type Encoded, type Serializer } from '../rooms/sse-encoding.js'
import type { Subscriber } from '../rooms/subscriber.js'

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
  /** Told when it did. */
  onOutlived: () => void
  /** What tRPC would tell the client of an error. */
  formatError: (error: Error) => unknown
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
  #fullSince = 0
  #isGuarded = false
  #isOver = false
  #writtenAt: number
  /** When the socket last said that nothing moves; `-Infinity` before. */
  #stalledAt = -Infinity
  #callOffDuration = () => {}
  #callOffPing = () => {}
  #callOffGuard = () => {}

  constructor(subscriber: Subscriber, sink: Sink, options: AttachedOptions) {
    this.#subscriber = subscriber
    this.#sink = sink
    this.#options = options
    this.#writtenAt = options.clock.now()
    const { clock, pingMs, maxDurationMs } = options
    if (maxDurationMs > 0) this.#callOffDuration = clock.after(maxDurationMs, () => this.#outlive())
    if (pingMs > 0) this.#pingAfter(pingMs)
    sink.onDrain = () => this.#drained()
    sink.onStall = () => this.#stalled()
    subscriber.onOwed = () => this.#flush()
    this.#flush()
  }

  /** The reader went away. */
  close(): void {
    this.#callOffGuard()
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    this.#subscriber.close()
  }

  #flush(): void {
    if (this.#isOver) return
    // What a slow reader has still to take must not be the last that somebody hears who may no longer read.
    if (this.#isFull) return this.#subscriber.endedBy === 'revoked' ? this.#cut() : undefined
    const { pingMs, clock } = this.#options
    const { traffic } = this.#subscriber.room
    for (let frame = this.#subscriber.take(); frame; frame = this.#subscriber.take()) {
      const encoded = this.#encoded(frame)
      if (!encoded) return
      traffic.frames += 1
      if (this.#sink.write(encoded)) continue
      this.#filled()
      break
    }
    if (pingMs > 0) this.#writtenAt = clock.now()
    if (this.#subscriber.isClosed) this.#end(this.#subscriber.endedWith)
  }

  /** The bytes of a frame. When the app's transformer cannot make them, the stream is over. */
  #encoded(frame: Frame): Encoded | null {
    try {
      return frame.encoded(this.#options.serializer)
    } catch (cause) {
      this.#subscriber.onOwed = () => {}
      this.#subscriber.close()
      this.#end(cause as Error)
      return null
    }
  }

  /** The server's end of it: an error if there is one, and no word of a return, so that the client comes back. */
  #end(error: Error | null): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#release()
    try {
      if (error) this.#sink.write(serializedError(this.#options.formatError(error)))
    } catch {
      // An app that cannot even say what is wrong: the body just ends, as tRPC's does.
    }
    this.#sink.end()
  }

  /** As tRPC does it after its `maxDurationMs`: the body just ends. */
  #outlive(): void {
    this.close()
    this.#sink.end()
    this.#options.onOutlived()
  }

  #filled(): void {
    const { clock, stallMs, frameStallMs } = this.#options
    this.#isFull = true
    this.#fullSince = clock.now()
    this.#stalledAt = -Infinity
    this.#sink.watch(stallMs / 2)
    if (!this.#isGuarded) this.#guardFor(frameStallMs)
  }

  /** One timer for a reader that is full now and then: each large frame would set one, and call it off again. */
  #guardFor(waitMs: number): void {
    const { clock, frameStallMs } = this.#options
    this.#isGuarded = true
    this.#callOffGuard = clock.after(waitMs, () => {
      this.#isGuarded = false
      if (!this.#isFull) return
      const leftMs = frameStallMs - (clock.now() - this.#fullSince)
      if (leftMs > 0) this.#guardFor(leftMs)
      else this.#cut()
    })
  }

  #drained(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#sink.watch(0)
    if (this.#isOver) this.#callOffGuard()
    this.#flush()
  }

  /** Looked at twice in the time that a reader has: a socket that took a byte in between lets one look pass in silence. */
  #stalled(): void {
    if (!this.#isFull) return
    const { clock, stallMs } = this.#options
    if (clock.now() - this.#stalledAt < stallMs * 0.75) return this.#cut()
    this.#stalledAt = clock.now()
    this.#sink.watch(stallMs / 2)
  }

  #cut(): void {
    if (!this.#isFull) return
    this.#isOver = true
    this.#isFull = false
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
    // What is still on its way has its time: a body that has ended may be stuck too.
    if (!this.#isFull) this.#callOffGuard()
    this.#subscriber.onOwed = () => {}
  }
}
