import type { Room, RoomSnapshot } from '../client/index.js'

type Value<T> = { value: T }

/**
 * Reads something out of a room once per snapshot, as `useSyncExternalStore` asks of a getSnapshot. A value that equals
 * the one before, or the one on the screen, stays that very value, so that nothing is rendered again.
 */
export function snapshotSelector<L, P, T>(
  room: Room<L, P>,
  read: (room: Room<L, P>) => T,
  isEqual: (a: T, b: T) => boolean,
  onScreen: { readonly current: Value<T> | null },
): () => T {
  let known: (Value<T> & { snapshot: RoomSnapshot<L, P> }) | undefined
  return () => {
    const snapshot = room.getSnapshot()
    if (known?.snapshot === snapshot) return known.value
    const value = read(room)
    const before = known ?? onScreen.current
    known = { snapshot, value: before && isEqual(before.value, value) ? before.value : value }
    return known.value
  }
}
