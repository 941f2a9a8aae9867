import type { Activity } from '../../shared/events.js'

/** What there is to know of somebody's attention: when they last touched anything, and since when they look elsewhere. */
export type ActivitySignals = { readonly inputAt: number; readonly hiddenAt: number | null }

export type Thresholds = {
  /** Without input for so long: idle. */
  readonly idleMs: number
  /** Out of sight for so long: away. */
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

/** When it would next be something else if nothing happens until then; `Infinity`: never. */
export function changesAt({ inputAt, hiddenAt }: ActivitySignals, { idleMs, awayMs }: Thresholds, now: number): number {
  const ends = [inputAt + idleMs, hiddenAt === null ? Infinity : hiddenAt + awayMs]
  return Math.min(...ends.filter((end) => end > now), Infinity)
}
