import { manualClock, type ManualClock } from '../../src/testing/manual-clock.js'

/** A manual clock that counts its timers. A timer that is neither due nor cancelled is pending. */
export interface CountingClock extends ManualClock {
  /** The number of timers that are pending. */
  readonly pending: number
}

export function countingClock(): CountingClock {
  const clock = manualClock()
  const timers = new Set<object>()
  return {
    ...clock,
    after(delayMs, run) {
      const timer = {}
      timers.add(timer)
      const cancel = clock.after(delayMs, () => {
        timers.delete(timer)
        run()
      })
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
    get pending() {
      return timers.size
    },
  }
}
