import { LocationError } from '../../shared/errors.js'
import { mergeNumbers } from './number-options.js'

/** Every duration of a hub, in milliseconds. */
export type Timing = {
  /** How often a subscriber hears a beat. */
  beatMs: number
  /** How long a connection stays present without posting, unless its post says otherwise. */
  leaseMs: number
  /** The shortest and the longest lease that a post may ask for. */
  leaseMinMs: number
  leaseMaxMs: number
  /** What remains of a lease when the peer closed its stream: more than one beat, so that whoever moved renews in time. */
  closedMs: number
  /** The longest grace that a leave may ask for. */
  graceMaxMs: number
  /** How long a tombstone stays: longer than any request. */
  tombstoneMs: number
  /** How long a request may take; the server that we make cuts it then. */
  requestMs: number
  /** How long a stream lives: this, times 0.8 to 1. */
  rotateMs: number
  /** A stream is cut when its reader took no byte for so long, or did not take all of one frame. */
  stallMs: number
  frameStallMs: number
  /** Over how long the streams of a draining process are cut. */
  drainMs: number
  /** How often leases are looked at. */
  sweepMs: number
  /** After how long a right is asked for again. */
  recheckMs: number
  /** How long `identify` and `authorize` may take. */
  hookMs: number
  /** The time between two posts that clients are asked to keep. */
  postMs: number
  /** The shortest and the longest time between two frames of a room. */
  frameMinMs: number
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
  requestMs: 20_000,
  rotateMs: 600_000,
  stallMs: 10_000,
  frameStallMs: 60_000,
  drainMs: 20_000,
  sweepMs: 250,
  recheckMs: 60_000,
  hookMs: 5_000,
  postMs: 50,
  frameMinMs: 16,
  frameMaxMs: 250,
}

/** Some durations of one's own; `scale` multiplies all the others, for tests that want a beat in 200 ms. */
export type TimingOptions = Partial<Timing> & { scale?: number }

export function timingOf({ scale = 1, ...own }: TimingOptions = {}): Timing {
  const { scale: factor } = mergeNumbers({ scale: 1 }, { scale }, 'timing')
  const scaled = Object.entries(defaultTiming).map(([name, ms]) => [name, ms * factor])
  const timing = mergeNumbers(Object.fromEntries(scaled) as Timing, own, 'timing')
  // One timer turns in steps of these.
  if (timing.beatMs > 0 && timing.sweepMs > 0) return timing
  throw new LocationError('misconfigured', 'timing.beatMs and timing.sweepMs must be above 0.')
}
