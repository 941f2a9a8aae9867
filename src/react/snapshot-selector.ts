import type { Room, RoomSnapshot } from '../client/index.js'
import type { RoomTypes } from '../shared/room-types.js'

type Value<R> = { value: R }

/**
 * Returns a `getSnapshot` for `useSyncExternalStore` that runs `read` once per snapshot of the room. When the new value
 * equals the previous one, or the one last rendered, it returns that same value, so that React does not render again.
 */
export function snapshotSelector<T extends RoomTypes, R>(
  room: Room<T>,
  read: (room: Room<T>) => R,
  isEqual: (a: R, b: R) => boolean,
  rendered: { readonly current: Value<R> | null },
): () => R {
  let latest: (Value<R> & { snapshot: RoomSnapshot<T> }) | undefined
  return () => {
    const snapshot = room.getSnapshot()
    if (latest?.snapshot === snapshot) return latest.value
    const value = read(room)
    const previous = latest ?? rendered.current
    latest = { snapshot, value: previous && isEqual(previous.value, value) ? previous.value : value }
    return latest.value
  }
}
