import type { LocationError } from '../../shared/errors.js'
import type { ByeReason, Hello } from '../../shared/events.js'
import { Frame } from './frames.js'
import type { LiveRoom } from './live-room.js'

/** How a stream ends when the server ends it: after a bye, cut; or, for good, with an error. */
type Ending = { bye: ByeReason; error: LocationError | null }

/**
 * One open `onLocation` stream. It holds one number, the version it has, and is owed whatever leads from there to the
 * room's present. Whoever writes it out takes one frame at a time, when the reader has room for it: there is no queue.
 */
export class Subscriber {
  readonly room: LiveRoom
  /** Whose stream this is; `null` when it only watches. */
  readonly connectionId: string | null
  readonly memberId: string | null
  /** Called when there is something to take. Whoever writes the stream out sets it. */
  onOwed: () => void = () => {}
  /** It is written out by somebody who takes a frame at a time, later; else, when it is woken. */
  isPumped = false
  readonly #onClosed: (subscriber: Subscriber, by: 'peer' | 'server') => void
  /** 0: nothing yet, and so owed a snapshot. */
  #version: number
  #hello: Hello | null
  #beatDue = false
  #ending: Ending | null = null
  #isClosed = false

  constructor(options: {
    room: LiveRoom
    connectionId: string | null
    memberId: string | null
    hello: Hello
    version: number | null
    onClosed: (subscriber: Subscriber, by: 'peer' | 'server') => void
  }) {
    this.room = options.room
    this.connectionId = options.connectionId
    this.memberId = options.memberId
    this.#hello = options.hello
    this.#version = options.version ?? 0
    this.#onClosed = options.onClosed
  }

  /** The next frame, or `null` when the reader has all there is. */
  take(): Frame | null {
    const { frames, timeline, traffic, isOutOfReach } = this.room
    if (this.#hello) return this.#say(this.#hello, (this.#hello = null))
    if (this.#ending && !this.#isClosed) {
      this.#isClosed = true
      return this.#say({ type: 'bye', reason: this.#ending.bye })
    }
    if (this.#isClosed) return null
    if (this.#version !== timeline.version) {
      if (this.#version !== 0 && this.#version !== timeline.previous) traffic.merged += 1
      const frame = this.#version === 0 ? frames.snapshot() : frames.since(this.#version)
      this.#version = frame.version
      return frame
    }
    if (!this.#beatDue) return null
    this.#beatDue = false
    return isOutOfReach ? this.#say({ type: 'degraded', reason: 'backend' }) : frames.beat()
  }

  /** Somebody has taken its first frame. */
  get hasBegun(): boolean {
    return this.#hello === null
  }

  /** After this, nothing more comes; `endedWith` says what the reader should be told. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Neither side has ended it. */
  get isOpen(): boolean {
    return !this.#isClosed && !this.#ending
  }

  /** Why the server ended it; `null` when it did not. */
  get endedBy(): ByeReason | null {
    return this.#ending?.bye ?? null
  }

  get endedWith(): LocationError | null {
    return this.#ending?.error ?? null
  }

  /** The room moved on. */
  wake(): void {
    this.onOwed()
  }

  /** It is this stream's turn to hear that all is well. */
  beat(): void {
    this.#beatDue = true
    this.onOwed()
  }

  /** The room was read again, when this stream stood in that epoch: perhaps no changes lead from there to here. */
  goOnFrom(epoch: string): void {
    if (!this.room.timeline.leadsFrom({ epoch, version: this.#version })) this.restart()
  }

  /** The room began anew: only a snapshot leads there. */
  restart(): void {
    this.#version = 0
    this.onOwed()
  }

  /** The server ends the stream: a bye, then the cut. */
  end(bye: ByeReason, error: LocationError | null = null): void {
    if (this.#ending || this.#isClosed) return
    this.#ending = { bye, error }
    this.#onClosed(this, 'server')
    this.onOwed()
  }

  /** The reader went away. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (!this.#ending) this.#onClosed(this, 'peer')
    this.onOwed()
  }

  /** An event of this stream's own, which leaves it where it stands. */
  #say(event: Frame['event'], _done?: null): Frame {
    return new Frame(this.room.timeline.id(this.#version), event, this.#version)
  }
}
