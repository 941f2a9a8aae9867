import type { Clock } from '../../shared/clock.js'
import type { Timing } from '../options/timing.js'

/** The number of readers that are woken before the event loop serves other work: about ten milliseconds of it. */
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
 * Wakes the readers of a room in slices, and sets the room's pace by it: the longer a fan-out takes, the later the next
 * one begins.
 */
export class FanOut {
  readonly #options: FanOutOptions
  #nextTickAt = 0
  /** The time between the last two frames, at most `frameMaxMs`. */
  #frameMs = 0
  /** Fan-outs in progress: the current one, plus readers that waited for a compressed frame. */
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

  /** The time to leave between two posts, when frames of this room are further apart than posts; otherwise `undefined`. */
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
   * Wakes the readers whose compressed frame was not ready when the others were woken. This is a fan-out too: it runs
   * in slices, and the next tick waits for it.
   */
  wakeLater(waiting: Iterable<Reader>): void {
    // The pace follows the whole room: a few late readers may only slow it down.
    this.#wakeAll(waiting, this.#options.clock.now(), this.#frameMs)
  }

  /** Wakes the readers of broadcasts, for which no frame waits. Calls `done` with the milliseconds that it took. */
  wakeForBroadcasts(subscribers: ReadonlySet<Reader>, done: (fanOutMs: number) => void): void {
    this.#wakeSlice(subscribers[Symbol.iterator](), 0, done)
  }

  /** @param leastMs the least time between frames afterwards. */
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
    // Never earlier than the tick itself has set it.
    const frameMs = Math.min(4 * fanOutMs, this.#options.timing.frameMaxMs)
    this.#frameMs = Math.max(leastMs, frameMs)
    this.#nextTickAt = Math.max(this.#nextTickAt, startedAt + frameMs)
    this.#inProgress -= 1
    this.#options.onEnd()
  }
}
