import { createComputed, createMemo, createSignal, onCleanup, type Accessor } from 'solid-js'
import { createLockValue, type LockableRoom } from '../bindings/lock-value.js'
import { valueOf, type MaybeGetter } from '../bindings/maybe-getter.js'
import type { UsedLock } from '../bindings/used-lock.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns who holds a place, and the functions `acquire` and `release`:
 * `const lock = useLock(useRoom(), () => props.cell)`.
 *
 * `acquire` takes the place, also from another window of ours. It resolves to `true` when the place is ours, and
 * rejects with the errors of `room.lock`. The place is released when the component is disposed, and when the room or
 * the place changes.
 */
export function useLock<T extends RoomTypes>(
  room: Accessor<LockableRoom<T>>,
  location: MaybeGetter<T['location']>,
): Accessor<UsedLock<T>> {
  const [track, changed] = createSignal<void>(undefined, { equals: false })
  const { get, release, releaseOthers } = createLockValue(room, () => valueOf(location), changed)
  createComputed(() => onCleanup(room().subscribe(() => changed())))
  createComputed(releaseOthers)
  onCleanup(() => void release())
  return createMemo(() => {
    track()
    return get()
  })
}
