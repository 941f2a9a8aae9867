import type { Room, RoomSnapshot } from '../client/index.js'

type Value<T> = { value: T }

/**
 * Returns a `getSnapshot` for `useSyncExternalStore` that runs `read` once per snapshot of the room. When the new value
 * equals the previous one, or the one last rendered, it returns that same value, so that React does not render again.
 */
export function snapshotSelector<L, P, T>(
  room: Room<L, P>,
  read: (room: Room<L, P>) => T,
  isEqual: (a: T, b: T) => boolean,
  rendered: { readonly current: Value<T> | null },
): () => T {
  let latest: (Value<T> & { snapshot: RoomSnapshot<L, P> }) | undefined
  return () => {
    const snapshot = room.getSnapshot()
    if (latest?.snapshot === snapshot) return latest.value
    const value = read(room)
    const previous = latest ?? rendered.current
    latest = { snapshot, value: previous && isEqual(previous.value, value) ? previous.value : value }
    return latest.value
  }
}
