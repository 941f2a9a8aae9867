import type { Clock } from '../../shared/clock.js'
import type { Hello } from '../../shared/events.js'
import type { RetryContext } from '../connection/connection-state.js'

/** The timing of a room. */
export interface Pace {
  /** From the newest hello; the server's defaults before the first. */
  timing: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs' | 'presenceMs' | 'features' | 'locks'>
  /** The time between two posts that the last reply asked for, since the newest hello; otherwise 0. */
  askedMs: number
  context(): RetryContext
  /** The timeout of a request. */
  deadlineMs(): number
  /** Called when open connections may be dead. For half a heartbeat interval the timeouts are short, so that dead sockets are left soon. */
  doubt(): void
  /** True for that time. */
  isDoubted(): boolean
}

export function paceBy(clock: Clock): Pace {
  let doubtedUntil = -Infinity
  const pace: Pace = {
    askedMs: 0,
    timing: { beatMs: 10_000, leaseMs: 30_000, postMs: 50 },
    context: () => ({ now: clock.now(), random: Math.random(), beatMs: pace.timing.beatMs }),
    deadlineMs: () => pace.timing.beatMs * (pace.isDoubted() ? 0.1 : 2),
    isDoubted: () => clock.now() < doubtedUntil,
    doubt() {
      doubtedUntil = clock.now() + pace.timing.beatMs / 2
    },
  }
  return pace
}
