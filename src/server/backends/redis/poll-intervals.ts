/** Returns all intervals, in milliseconds, as multiples of the sweep (250 ms by default), so that a test can scale them together. */
export const pollIntervals = (sweepMs: number) => ({
  /** The interval at which the version of a room without calls is polled, because announcements can be lost. */
  pollMs: 8 * sweepMs,
  /** The delay after which a missing announcement counts as lost. */
  lateMs: (2 * sweepMs) / 5,
  /** The shortest time between two full reads of a room. */
  readMs: 4 * sweepMs,
  /** A silence of all processes that counts as an outage of Redis, in which no lease could be renewed. */
  outageMs: 32 * sweepMs,
  /** The time after an outage, or after the start of this process, in which clients may still be reconnecting: one lease. */
  settleMs: 120 * sweepMs,
})
