/* Raises the limits of the Hereabouts server, but only those that the scenarios exceed. */

/** Limits that allow two thousand members in one room, all from one address. */
export const liftedLimits = { roomConnections: 10_000, postsPerSecond: 1_000, postBurst: 10_000 }

/**
 * Timing that keeps a stalled reader, whose cost is measured. By default, it would be disconnected after ten seconds.
 */
export const liftedTiming = { stallMs: 600_000, frameStallMs: 600_000 }
