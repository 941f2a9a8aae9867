/** Where time comes from. Everything takes one, so that a test can move time by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch, with fractions; never goes back. */
  now(): number
  /** Runs `run` once, `delayMs` from now. Returns what calls it off. */
  after(delayMs: number, run: () => void): () => void
}

// A timer of 2^31 ms or more fires at once (HTML, "timers": the delay is a signed 32-bit number).
const longestDelayMs = 2 ** 31 - 1

const start = (delayMs: number, run: () => void) => setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs))

/** The machine's clock, free of the jumps that setting the time makes. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delayMs, run) {
    const timer = start(delayMs, run)
    return () => clearTimeout(timer)
  },
}

/** The same, for work in the background of a server: its timers alone do not keep a process alive. */
export const backgroundClock: Clock = {
  now: systemClock.now,
  after(delayMs, run) {
    const timer = start(delayMs, run)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
