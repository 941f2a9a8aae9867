/* Lifts only the limits of our server that the scenarios exceed. */

/** Allows two thousand members in one room, all from one address. */
export const liftedLimits = { roomConnections: 10_000, postsPerSecond: 1_000, postBurst: 10_000 }

/** A stalled reader would be cut after ten seconds. Here it stays, so that its cost can be measured. */
export const liftedTiming = { stallMs: 600_000, frameStallMs: 600_000 }
