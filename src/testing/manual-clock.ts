import type { Clock } from '../shared/clock.js'

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Advances time by `ms` and runs the timers that are due on the way, each at its own time and in order. Promises settle
   * in between.
   */
  advance(ms: number): Promise<void>
  /**
   * Advances time without running timers, as when a process hangs or its machine sleeps. Timers that are due run at the
   * next `advance`.
   */
  stall(ms: number): void
  /**
   * Moves only the wall clock by `ms`, forward or back, as NTP does, or as the sleep of a machine does. Durations and
   * timers are not affected.
   */
  step(ms: number): void
}

/**
 * Creates a clock that a test moves: pass it as `clock` to a hub or a client, then `await clock.advance(30_000)`.
 *
 * @param startMs the first time of the wall clock, in milliseconds since the Unix epoch; default 2026-01-01.
 */
export function manualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  // The monotonic time begins far from the wall clock's time, so that a test fails when code takes one for the other.
  let now = 1_000
  let wallMs = startMs - now
  const timers = new Set<{ at: number; run: () => void }>()
  const nextBefore = (end: number) => {
    let next: { at: number; run: () => void } | undefined
    for (const timer of timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer
    return next
  }
  return {
    now: () => now,
    date: () => new Date(wallMs + now),
    after(delayMs, run) {
      const timer = { at: now + Math.max(delayMs, 0), run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(ms) {
      const end = now + ms
      await settled()
      for (let timer = nextBefore(end); timer; timer = nextBefore(end)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.run()
        await settled()
      }
      now = Math.max(now, end)
    },
    stall(ms) {
      now += ms
    },
    step(ms) {
      wallMs += ms
    },
  }
}

// Waits for one turn of the event loop, so that chains of promises that a timer started can end before the next timer
// runs.
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
