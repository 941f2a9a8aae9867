/** The source of time. All code that needs time takes a clock, so that tests can advance it. */
export interface Clock {
  /** Returns the milliseconds since the Unix epoch, with fractions. Monotonic. */
  now(): number
  /** Runs `run` once, `delayMs` milliseconds from now. Returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void
}

// A timer of 2^31 ms or more would fire at once: the delay is a signed 32-bit number (HTML, "timers").
const longestDelayMs = 2 ** 31 - 1

const start = (delayMs: number, run: () => void) => setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs))

// React Native has no performance.timeOrigin, and other runtimes have no performance at all.
const timer: { now(): number; timeOrigin?: number } = globalThis.performance ?? Date
const origin = timer.timeOrigin ?? Date.now() - timer.now()

/** The system clock. It does not jump when somebody changes the time of the machine. */
export const systemClock: Clock = {
  now: () => origin + timer.now(),
  after(delayMs, run) {
    const timer = start(delayMs, run)
    return () => clearTimeout(timer)
  },
}

/** The system clock for background work of a server: pending timers do not keep the process alive. */
export const backgroundClock: Clock = {
  now: systemClock.now,
  after(delayMs, run) {
    const timer = start(delayMs, run)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
