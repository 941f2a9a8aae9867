import type { Clock } from '../../shared/clock.js'

const intervalMs = 500
/**
 * The time in milliseconds for which a stall is reported: longer than the usual interval between two readiness checks.
 */
const rememberedMs = 10_000

/** Measures how late this process runs its timers: every request has to wait equally long. */
export class EventLoopLag {
  readonly #clock: Clock
  #dueAt = Infinity
  #worst = { lagMs: 0, until: 0 }
  #cancel = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The longest delay of the last 10 seconds, in milliseconds. */
  get lagMs(): number {
    const now = this.#clock.now()
    // During a stall, the timer is overdue and has not run yet: the delay up to now counts too.
    this.#note(now)
    return now < this.#worst.until ? this.#worst.lagMs : 0
  }

  start(): void {
    this.#cancel()
    this.#dueAt = this.#clock.now() + intervalMs
    this.#cancel = this.#clock.after(intervalMs, () => {
      this.#note(this.#clock.now())
      this.start()
    })
  }

  stop(): void {
    this.#cancel()
    this.#dueAt = Infinity
  }

  #note(now: number): void {
    const lagMs = Math.max(0, now - this.#dueAt)
    if (lagMs === 0 || (lagMs < this.#worst.lagMs && now < this.#worst.until)) return
    this.#worst = { lagMs, until: now + rememberedMs }
  }
}
