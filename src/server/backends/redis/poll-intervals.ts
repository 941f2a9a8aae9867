/** What waits are made of: all of them in sweeps, of 250 ms by default, so that a test that runs faster runs all of it faster. */
export const pollIntervals = (sweepMs: number) => ({
  /** A room that nobody changes is asked for its version this often: announcements get lost. */
  pollMs: 8 * sweepMs,
  /** How long an announcement may be late before it counts as lost. */
  lateMs: (2 * sweepMs) / 5,
  /** The shortest time between two readings of a room. */
  readMs: 4 * sweepMs,
  /** No process asked for this long: then Redis was away, and nobody could renew a lease. */
  outageMs: 32 * sweepMs,
  /** For this long after an outage, or after the start of this process, somebody may still be on the way back: a lease. */
  settleMs: 120 * sweepMs,
})
