import { createComputed, createMemo, createSignal, onCleanup, type Accessor } from 'solid-js'
import { createLockValue, type LockableRoom } from '../bindings/lock-value.js'
import { valueOf, type MaybeGetter } from '../bindings/maybe-getter.js'
import type { UsedLock } from '../bindings/used-lock.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns who holds a place, and `acquire` and `release`: `const lock = useLock(useRoom(), () => props.cell)`.
 *
 * `acquire` resolves with whether the place is ours; it takes the place from another window of ours, and rejects with the errors of
 * `room.lock`. The place is released when the component is disposed, or asks for another one.
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
