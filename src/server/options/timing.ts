import { LocationError } from '../../shared/errors.js'
import { mergeNumbers, type NumberRange } from './number-options.js'

/**
 * Every duration of a hub, in milliseconds: above 0, and at most 2,147,483,647. Those that may be 0 say what that means.
 */
export type Timing = {
  /** Interval between two heartbeats of a stream. Default 10,000. */
  beatMs: number
  /** How long a connection stays present without a post, unless the post asks for another lease. Default 30,000. */
  leaseMs: number
  /** The shortest lease that a post may ask for. 0: any. Default 5,000. */
  leaseMinMs: number
  /** The longest lease that a post may ask for. Default 300,000. */
  leaseMaxMs: number
  /**
   * The duration of a lease after the client closed its stream. Longer than a heartbeat interval, so that a client that
   * reconnects elsewhere renews the lease in time. 0: the connection leaves with its stream. Default 15,000.
   */
  closedMs: number
  /** The longest grace period that a leave may ask for. 0: none. Default 5,000. */
  graceMaxMs: number
  /** How long the tombstone of a connection is kept. Longer than any request takes. Default 60,000. */
  tombstoneMs: number
  /** How long a lock outlasts the last post of its holder, whatever the lease is. Default 30,000. */
  lockMs: number
  /**
   * The time after a process or Redis lost its state in which only the former holder of a lock may take that lock again. 0:
   * anybody may take it at once. Default 5,000.
   */
  claimMs: number
  /** How long a request may take before the server of `createLocationServer` ends it. Default 20,000. */
  requestMs: number
  /**
   * The longest life of a stream. Each stream is rotated at a random point between 0.8 and 1 times this. Default
   * 600,000.
   */
  rotateMs: number
  /** A stream ends when its client read no byte for this long. Default 10,000. */
  stallMs: number
  /** A stream ends when its client has not read one frame to its end for this long. Default 60,000. */
  frameStallMs: number
  /** The time over which a draining process ends its streams. 0: all at once. Default 20,000. */
  drainMs: number
  /** Interval at which leases are checked. Default 250. */
  sweepMs: number
  /**
   * Age at which a cached answer of `authorize` is no longer used. 0: `authorize` is asked for every post and query,
   * and at every heartbeat of a stream. Default 60,000.
   */
  recheckMs: number
  /** How long `identify` and `authorize` may take. Default 5,000. */
  hookMs: number
  /** The interval between two posts that clients are asked to keep. 0: none. Default 50. */
  postMs: number
  /**
   * The interval between two posts that change only the presence value, which clients are asked to keep. 0: none. Default 100.
   */
  presenceMs: number
  /** The shortest interval between two frames of a room. 0: none. Default 16. */
  frameMinMs: number
  /** The longest interval between two frames of a room. Default 250. */
  frameMaxMs: number
}

export const defaultTiming: Timing = {
  beatMs: 10_000,
  leaseMs: 30_000,
  leaseMinMs: 5_000,
  leaseMaxMs: 300_000,
  closedMs: 15_000,
  graceMaxMs: 5_000,
  tombstoneMs: 60_000,
  lockMs: 30_000,
  claimMs: 5_000,
  requestMs: 20_000,
  rotateMs: 600_000,
  stallMs: 10_000,
  frameStallMs: 60_000,
  drainMs: 20_000,
  sweepMs: 250,
  recheckMs: 60_000,
  hookMs: 5_000,
  postMs: 50,
  presenceMs: 100,
  frameMinMs: 16,
  frameMaxMs: 250,
}

/**
 * Durations in milliseconds that replace the defaults. `scale` multiplies every other default; tests use it. Default 1.
 */
export type TimingOptions = Partial<Timing> & { scale?: number }

export function timingOf({ scale = 1, ...custom }: TimingOptions = {}): Timing {
  const { scale: factor } = mergeNumbers({ scale: 1 }, { scale }, 'timing', { scale: scaleRange })
  const scaled = Object.entries(defaultTiming).map(([name, ms]) => [name, ms * factor])
  const timing = mergeNumbers(Object.fromEntries(scaled) as Timing, custom, 'timing', timingRanges)
  assertUsable(timing)
  return timing
}

/**
 * The longest delay of a timer in Node and in browsers, about 25 days. A longer delay would be shortened to this one.
 */
const longestMs = 2 ** 31 - 1
const aboveZero: NumberRange = { above: 0, most: longestMs }
const zeroOrMore: NumberRange = { most: longestMs }

/** The values that each duration may have. For the others, 0 would end everything at once, or nothing ever. */
const timingRanges: Readonly<Record<string, NumberRange>> = {
  ...Object.fromEntries(Object.keys(defaultTiming).map((name) => [name, aboveZero])),
  leaseMinMs: zeroOrMore,
  closedMs: zeroOrMore,
  graceMaxMs: zeroOrMore,
  claimMs: zeroOrMore,
  drainMs: zeroOrMore,
  recheckMs: zeroOrMore,
  postMs: zeroOrMore,
  presenceMs: zeroOrMore,
  frameMinMs: zeroOrMore,
}
/** With a larger scale, the longest duration would be longer than a timer. */
const scaleRange: NumberRange = { above: 0, most: Math.floor(longestMs / Math.max(...Object.values(defaultTiming))) }

function assertUsable(timing: Timing): void {
  for (const [least, most] of [
    ['leaseMinMs', 'leaseMaxMs'],
    ['frameMinMs', 'frameMaxMs'],
  ] as const)
    if (timing[least] > timing[most])
      throw new LocationError(
        'misconfigured',
        `timing.${least} is ${timing[least]} and timing.${most} is ${timing[most]}: the first must not be above the second.`,
      )
}
