/* What our own server would refuse, and the scenarios ask for. Nothing else is changed. */

/** Two thousand may be in one room, and all of them come from here. */
export const liftedLimits = { roomConnections: 10_000, postsPerSecond: 1_000, postBurst: 10_000 }

/** A reader that stalls would be cut after ten seconds; here it is to stay, to show what it costs. */
export const liftedTiming = { stallMs: 600_000, frameStallMs: 600_000 }
