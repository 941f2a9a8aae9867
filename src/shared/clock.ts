/**
 * The source of time. All code that needs time takes a clock, so that tests can advance it.
 *
 * It has two readings of two types, so that the compiler refuses to compare one with the other. The monotonic reading is
 * a number; the wall clock's is a Date, which NTP, a person or a machine that slept may step by hours in either
 * direction.
 */
export interface Clock {
  /** Returns a monotonic reading in milliseconds, with fractions, for durations. Only differences have a meaning. */
  now(): number
  /** Returns the time of the wall clock, for what is compared with, or shown as, a time of day. */
  date(): Date
  /** Runs `run` once, `delayMs` milliseconds from now. Returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
}

// A timer of 2^31 ms or more would fire at once: the delay is a signed 32-bit number (HTML, "timers").
const longestDelayMs = 2 ** 31 - 1

/** Returns the delay that a timer can keep. */
export const timerDelay = (delayMs: number): number => Math.min(Math.max(delayMs, 0), longestDelayMs)

// Some runtimes have no performance. It is looked up at each reading, so that a test may replace it.
const timer = (): { now(): number } => globalThis.performance ?? Date

/**
 * Returns the time of the wall clock at a monotonic reading. It is right after any step of the wall clock, since only
 * the distance from now comes from the reading.
 */
export const dateAt = (clock: Clock, reading: number): Date => new Date(clock.date().getTime() + reading - clock.now())

/** The system clock. */
export const systemClock: Clock = {
  now: () => timer().now(),
  date: () => new Date(),
  after(delayMs, run) {
    const timer = setTimeout(run, timerDelay(delayMs))
    return () => clearTimeout(timer)
  },
}
