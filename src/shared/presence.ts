import type { PresenceChange } from './events.js'

/* A presence value is an object. Frames carry the changes of a presence value by top-level key. */

/** A presence value: data of a connection that changes often and is not a place. */
export type PresenceValue = Readonly<Record<string, unknown>>

/** The presence value of a connection that has posted none. */
export const noPresence: PresenceValue = Object.freeze({})

/** Returns the presence value of a connection; `{}` when it has none or the router has no presence values. */
export const presenceOf = (connection: object): PresenceValue =>
  (connection as { presence?: PresenceValue }).presence ?? noPresence

/** Returns the fields of a changed entry that turn one presence value into another. */
export function presencePatch(before: PresenceValue, after: PresenceValue): PresenceChange {
  const changed = Object.entries(after).filter(
    ([key, value]) => !Object.hasOwn(before, key) || !isSame(before[key], value),
  )
  const cleared = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  return {
    ...(changed.length > 0 && { presence: Object.fromEntries(changed) }),
    ...(cleared.length > 0 && { presenceCleared: cleared }),
  }
}

/**
 * Applies a changed entry to a presence value. Returns the new value, or the same object when the entry does not change
 * it.
 */
export function patchedPresence(before: PresenceValue, change: PresenceChange): PresenceValue {
  const { presence, presenceCleared = [], presenceReset } = change
  if (!presence && !presenceReset && presenceCleared.length === 0) return before
  const value: Record<string, unknown> = { ...(!presenceReset && before), ...(presence as PresenceValue) }
  for (const key of presenceCleared) delete value[key]
  return value
}

// JSON text can be compared because both values come from canonical JSON, in which keys are sorted.
const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b)
