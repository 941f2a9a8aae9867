import type { Clock } from '../shared/clock.js'

/**
 * Wraps a clock and ignores readings that are no finite numbers or go back: they would make retries due at once or very
 * late.
 */
export function steadyClock(clock: Clock): Clock {
  let latest = 0
  return {
    now() {
      const time = clock.now()
      if (time > latest && time < Infinity) latest = time
      return latest
    },
    date: () => clock.date(),
    after: (delayMs, run) => clock.after(delayMs, run),
  }
}
