import type { Clock } from '../shared/clock.js'

/** Ignores times that are not numbers or go back, so that no clock can make a retry due at once, or an hour late. */
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
