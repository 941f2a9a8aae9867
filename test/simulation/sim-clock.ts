import type { Clock } from '../../src/shared/clock.js'

type Timer = { at: number; order: number; run: () => void }

/** A clock that jumps from one timer to the next. Timers due at the same time run in the order of their creation. */
export class SimClock implements Clock {
  readonly #startMs: number
  #now = 0
  #order = 0
  /** A binary heap of timers: there are thousands, and each step needs the next one. */
  readonly #heap: Timer[] = []
  readonly #calledOff = new Set<Timer>()

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  now(): number {
    return this.#now
  }

  date(): Date {
    return new Date(this.wallMs())
  }

  /** Returns the time of the wall clock with fractions of a millisecond, as Redis has them. */
  wallMs(): number {
    return this.#startMs + this.#now
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    this.#push(timer)
    return () => void this.#calledOff.add(timer)
  }

  /** Resolves after `ms` milliseconds of simulated time. */
  pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Advances the simulated time by `forMs` milliseconds, and runs the timers that become due. */
  async run(forMs: number): Promise<void> {
    const end = this.#now + forMs
    await new Promise<void>((resolve) => setImmediate(resolve))
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop()
      if (this.#calledOff.delete(next)) continue
      this.#now = next.at
      next.run()
      await settled()
    }
    this.#now = end
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let i = heap.push(timer) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (isBefore(heap[parent]!, timer)) break
      heap[i] = heap[parent]!
      i = parent
    }
    heap[i] = timer
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)

// The simulated code waits only for timers and promises. Sixteen rounds of promises are enough for the longest chain to
// reach its next timer. A turn of the event loop would work too, but takes three times as long.
async function settled(): Promise<void> {
  for (let round = 0; round < 16; round++) await Promise.resolve()
}
