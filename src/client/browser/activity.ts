import type { Activity } from '../../shared/events.js'

/** The inputs of the activity rules: the time of the last input, and the time since when the page is hidden. */
export type ActivitySignals = { readonly inputAt: number; readonly hiddenAt: number | null }

export type Thresholds = {
  /** The time in ms without input after which somebody is idle. */
  readonly idleMs: number
  /** The time in ms of a hidden page after which somebody is away. */
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

/** Returns the time of the next change of activity if nothing happens until then; `Infinity`: never. */
export function changesAt({ inputAt, hiddenAt }: ActivitySignals, { idleMs, awayMs }: Thresholds, now: number): number {
  const ends = [inputAt + idleMs, hiddenAt === null ? Infinity : hiddenAt + awayMs]
  return Math.min(...ends.filter((end) => end > now), Infinity)
}
