import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../options/timing.js'

/**
 * The number of readers that are woken in one slice, before the event loop serves other work: about ten milliseconds.
 */
const sliceSize = 2_000

/** A reader that a fan-out wakes. `isPumped`: it writes later, in a microtask, rather than inside `wake`. */
export type Reader = { wake(): void; readonly isPumped?: boolean }

export type FanOutOptions = {
  clock: Clock
  timing: Timing
  /** Called after each fan-out with the milliseconds that it took. */
  onMeasured(fanOutMs: number): void
  /** Called when a fan-out of frames has ended, so that the next tick can be scheduled. */
  onEnd(): void
}

/**
 * Wakes the readers of a room in slices, and sets the pace of the room: the longer a fan-out takes, the later the next
 * one begins.
 */
export class FanOut {
  readonly #options: FanOutOptions
  #nextTickAt = 0
  /** The frame interval that the last fan-out asks for: four times its duration, at most `frameMaxMs`. */
  #frameMs = 0
  /** The number of fan-outs in progress: the current one, and those to readers that waited for a compressed frame. */
  #inProgress = 0

  constructor(options: FanOutOptions) {
    this.#options = options
  }

  /** The time from which the next frame may go out, by the clock. */
  get nextTickAt(): number {
    return this.#nextTickAt
  }

  get isInProgress(): boolean {
    return this.#inProgress > 0
  }

  /**
   * The interval that clients should leave between two posts, in milliseconds, when frames of this room are further
   * apart than posts; otherwise `undefined`.
   */
  get postMs(): number | undefined {
    const { frameMinMs, postMs } = this.#options.timing
    const frameMs = Math.ceil(Math.max(this.#frameMs, frameMinMs))
    return frameMs > postMs ? frameMs : undefined
  }

  /** Wakes the subscribers for the next frame. */
  begin(subscribers: ReadonlySet<Reader>): void {
    const startedAt = this.#options.clock.now()
    this.#nextTickAt = startedAt + this.#options.timing.frameMinMs
    if (subscribers.size > 0) this.#wakeAll(subscribers, startedAt, 0)
    else this.#frameMs = 0
  }

  /**
   * Wakes the readers whose compressed frame was not ready when the others were woken. They are woken in slices, and
   * the next tick waits for them, as in every fan-out.
   */
  wakeLater(waiting: Iterable<Reader>): void {
    // The fan-out to the whole room sets the frame interval. The fan-out to a few late readers may lengthen the
    // interval, but not shorten it.
    this.#wakeAll(waiting, this.#options.clock.now(), this.#frameMs)
  }

  /**
   * Wakes the readers of broadcasts. Frames of the room do not wait for this fan-out. Calls `done` with its duration in
   * milliseconds.
   */
  wakeForBroadcasts(subscribers: ReadonlySet<Reader>, done: (fanOutMs: number) => void): void {
    this.#wakeSlice(subscribers[Symbol.iterator](), 0, done)
  }

  /** @param leastMs the shortest frame interval after this fan-out. */
  #wakeAll(waiting: Iterable<Reader>, startedAt: number, leastMs: number): void {
    this.#inProgress += 1
    this.#wakeSlice(waiting[Symbol.iterator](), 0, (fanOutMs) => this.#ended(startedAt, fanOutMs, leastMs))
  }

  /**
   * Wakes one slice of the readers, then lets the event loop serve other rooms. A set's iterator is live: it includes
   * readers that are added meanwhile, and skips those that are removed.
   */
  #wakeSlice(waiting: Iterator<Reader>, spentBefore: number, done: (fanOutMs: number) => void): void {
    const { clock } = this.#options
    const beganAt = clock.now()
    let isPumped = false
    let next = waiting.next()
    for (let woken = 1; !next.done; woken++) {
      next.value.wake()
      isPumped ||= next.value.isPumped === true
      if (woken === sliceSize) break
      next = waiting.next()
    }
    const spentMs = () => spentBefore + clock.now() - beganAt
    // Readers that write inside `wake` are done by now. The work that follows, such as answering posts, is not fan-out
    // time.
    const written = isPumped ? null : spentMs()
    if (next.done && written !== null) return this.#measured(written, done)
    // Pumped readers encode in the microtasks that follow: their slice is over when the next timer runs.
    clock.after(0, () => {
      if (next.done) this.#measured(written ?? spentMs(), done)
      else this.#wakeSlice(waiting, written ?? spentMs(), done)
    })
  }

  #measured(fanOutMs: number, done: (fanOutMs: number) => void): void {
    this.#options.onMeasured(fanOutMs)
    done(fanOutMs)
  }

  #ended(startedAt: number, fanOutMs: number, leastMs: number): void {
    // The next tick is never moved before the time that `begin` set.
    const frameMs = Math.min(4 * fanOutMs, this.#options.timing.frameMaxMs)
    this.#frameMs = Math.max(leastMs, frameMs)
    this.#nextTickAt = Math.max(this.#nextTickAt, startedAt + frameMs)
    this.#inProgress -= 1
    this.#options.onEnd()
  }
}
