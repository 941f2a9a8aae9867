/**
 * The source of time. All code that needs time takes a clock, so that tests can advance it.
 *
 * A clock has two readings of different types, so that the compiler refuses to compare one with the other. The
 * monotonic reading is a number. The reading of the wall clock is a Date: NTP, a person or a machine that slept may
 * step it by hours in either direction.
 */
export interface Clock {
  /**
   * Returns a monotonic reading in milliseconds, with fractions, for durations. Only the difference between two
   * readings has a meaning.
   */
  now(): number
  /** Returns the time of the wall clock, for values that are shown as a time of day or compared with one. */
  date(): Date
  /** Runs `run` once, `delayMs` milliseconds from now. Returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
}

// A timer of 2^31 ms or more would fire at once: the delay is a signed 32-bit number (HTML, "timers").
const longestDelayMs = 2 ** 31 - 1

/** Limits a delay to the range that timers support, 0 to 2^31 - 1 ms. */
export const timerDelay = (delayMs: number): number => Math.min(Math.max(delayMs, 0), longestDelayMs)

// Some runtimes have no `performance`. The global is looked up at each reading, so that a test may replace it.
const timer = (): { now(): number } => globalThis.performance ?? Date

/**
 * Converts a monotonic reading to a time of the wall clock. The result is right even after the wall clock was stepped,
 * because only the distance from now comes from the reading.
 */
export const dateAt = (clock: Clock, reading: number): Date => new Date(clock.date().getTime() + reading - clock.now())

/** The clock of the machine, and the timers of the runtime. */
export const systemClock: Clock = {
  now: () => timer().now(),
  date: () => new Date(),
  after(delayMs, run) {
    const timer = setTimeout(run, timerDelay(delayMs))
    return () => clearTimeout(timer)
  },
}
