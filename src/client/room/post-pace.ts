import type { Clock } from '../../shared/clock.js'
import type { Hello } from '../../shared/events.js'
import type { Moment } from '../connection/connection-state.js'

/** How fast everything goes in a room. */
export interface Pace {
  /** As the newest hello said; before the first, as most servers would. */
  timing: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs'>
  moment(): Moment
  /** How long a request may take. */
  deadlineMs(): number
}

export function paceBy(clock: Clock): Pace {
  const pace: Pace = {
    timing: { beatMs: 10_000, leaseMs: 30_000, postMs: 50 },
    moment: () => ({ now: clock.now(), random: Math.random(), beatMs: pace.timing.beatMs }),
    deadlineMs: () => 2 * pace.timing.beatMs,
  }
  return pace
}
