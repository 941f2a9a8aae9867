import { manualClock, type ManualClock } from 'hereabouts/testing'

/** A manual clock that counts the timers that have neither run nor been cancelled. */
export function countedClock(): ManualClock & { readonly pending: number } {
  const clock = manualClock()
  const timers = new Set<object>()
  return {
    ...clock,
    get pending() {
      return timers.size
    },
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
  }
}
