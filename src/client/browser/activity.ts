import type { Activity } from '../../shared/events.js'

/**
 * The inputs of the activity rules: the time of the last input, and since when the page is hidden (`null` while
 * visible).
 */
export type ActivitySignals = { readonly inputAt: number; readonly hiddenAt: number | null }

export type Thresholds = {
  /** The time in ms without input after which somebody is idle. */
  readonly idleMs: number
  /** The time in ms after which somebody whose page is hidden is away. */
  readonly awayMs: number
}

export function activityOf(
  { inputAt, hiddenAt }: ActivitySignals,
  { idleMs, awayMs }: Thresholds,
  now: number,
): Activity {
  if (hiddenAt !== null && now >= hiddenAt + awayMs) return 'away'
  return now >= inputAt + idleMs ? 'idle' : 'active'
}

/**
 * Returns the time at which the activity changes next if no signal changes until then; `Infinity` when it never does.
 */
export function changesAt({ inputAt, hiddenAt }: ActivitySignals, { idleMs, awayMs }: Thresholds, now: number): number {
  const ends = [inputAt + idleMs, hiddenAt === null ? Infinity : hiddenAt + awayMs]
  return Math.min(...ends.filter((end) => end > now), Infinity)
}
