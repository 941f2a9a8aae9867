import type { Clock } from '../../shared/clock.js'
import type { Hello } from '../../shared/events.js'
import type { RetryContext } from '../connection/connection-state.js'

/** The timing of a room. */
export interface Pace {
  /** From the newest hello; the server's defaults before the first. */
  timing: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs' | 'features'>
  context(): RetryContext
  /** The timeout of a request. */
  deadlineMs(): number
}

export function paceBy(clock: Clock): Pace {
  const pace: Pace = {
    timing: { beatMs: 10_000, leaseMs: 30_000, postMs: 50 },
    context: () => ({ now: clock.now(), random: Math.random(), beatMs: pace.timing.beatMs }),
    deadlineMs: () => 2 * pace.timing.beatMs,
  }
  return pace
}
