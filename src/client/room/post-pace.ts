import type { Clock } from '../../shared/clock.js'
import type { Hello } from '../../shared/events.js'
import type { RetryContext } from '../connection/connection-state.js'

/** The timing of a room. */
export interface Pace {
  /** The timing in the newest hello; the server's defaults before the first hello. */
  timing: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs' | 'presenceMs' | 'features' | 'locks'>
  /**
   * The least time in ms between two posts that the last reply of a busy room asked for; 0 when none did since the
   * newest hello.
   */
  askedMs: number
  context(): RetryContext
  /** The timeout of a request. */
  deadlineMs(): number
  /**
   * Shortens the timeouts for half a heartbeat interval. Called when open sockets may be dead, so that they are given
   * up soon.
   */
  doubt(): void
  /** True for half a heartbeat interval after `doubt()`. */
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
