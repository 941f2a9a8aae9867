import type { PresenceChange } from './events.js'

/* A presence value is an object. Frames carry its changes by top-level key. */

/** A presence value: what changes often and is not a place. */
export type PresenceValue = Readonly<Record<string, unknown>>

/** The value of a connection that has posted none. */
export const noPresence: PresenceValue = Object.freeze({})

/** Returns the presence value of a connection of any router. */
export const presenceOf = (connection: object): PresenceValue =>
  (connection as { presence?: PresenceValue }).presence ?? noPresence

/** Returns the entry fields that lead from one presence value to another. */
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

/** Returns the presence value that a changed entry leads to; the same object when the entry does not change it. */
export function patchedPresence(before: PresenceValue, change: PresenceChange): PresenceValue {
  const { presence, presenceCleared = [], presenceReset } = change
  if (!presence && !presenceReset && presenceCleared.length === 0) return before
  const value: Record<string, unknown> = { ...(!presenceReset && before), ...(presence as PresenceValue) }
  for (const key of presenceCleared) delete value[key]
  return value
}

// Both have canonical JSON.
const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b)
