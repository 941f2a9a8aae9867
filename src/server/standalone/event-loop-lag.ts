import type { Clock } from '../../shared/clock.js'

const everyMs = 500
/** A stall is spoken of for so long: longer than the time between two looks of whoever asks `/readyz`. */
const rememberedMs = 10_000

/** How late this process comes to its timers: what everybody in it has to wait. */
export class EventLoopLag {
  readonly #clock: Clock
  #dueAt = Infinity
  #worst = { lagMs: 0, until: 0 }
  #callOff = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The longest wait of late, in milliseconds. */
  get lagMs(): number {
    const now = this.#clock.now()
    // Who asks before the late timer has run is late by as much.
    this.#note(now)
    return now < this.#worst.until ? this.#worst.lagMs : 0
  }

  start(): void {
    this.#callOff()
    this.#dueAt = this.#clock.now() + everyMs
    this.#callOff = this.#clock.after(everyMs, () => {
      this.#note(this.#clock.now())
      this.start()
    })
  }

  stop(): void {
    this.#callOff()
    this.#dueAt = Infinity
  }

  #note(now: number): void {
    const lagMs = Math.max(0, now - this.#dueAt)
    if (lagMs === 0 || (lagMs < this.#worst.lagMs && now < this.#worst.until)) return
    this.#worst = { lagMs, until: now + rememberedMs }
  }
}
