import type { FeatureInfo, Hello } from '../../shared/events.js'
import type { LocksOption, OptionalSchema } from '../../shared/schema-types.js'
import type { Timing } from '../options/timing.js'
import type { Broadcasting } from './broadcasting.js'

type FeatureSettings = {
  broadcasting: Broadcasting
  presence: OptionalSchema
  locks: Hello['locks'] | null
  timing: Timing
}

/** Returns the features of a hub, as `hello` lists them. */
export function featuresOf({ broadcasting, presence, locks, timing }: FeatureSettings): FeatureInfo {
  return {
    features: [
      'used',
      ...(presence ? ['presence'] : []),
      ...(broadcasting.schemas ? ['broadcasts'] : []),
      ...(locks ? ['locks'] : []),
    ],
    ...(presence && { presenceMs: timing.presenceMs }),
    ...(locks && { locks }),
  }
}

/** Returns the lock settings that clients are told; `null` when places cannot be locked. */
export function locksOf(option: LocksOption | undefined, lockMs: number): Hello['locks'] | null {
  if (!option) return null
  const { idleMs = 120_000 } = option === true ? {} : option
  return { lockMs, idleMs }
}
