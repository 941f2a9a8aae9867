import { onDestroy } from 'svelte'
import { createLockValue, type LockableRoom } from '../bindings/lock-value.js'
import { valueOf, type MaybeGetter } from '../bindings/maybe-getter.js'
import type { UsedLock } from '../bindings/used-lock.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'
import { createRoomStore, follow, type RoomStore } from './room-store.js'

/**
 * Returns who holds a place, and the functions `acquire` and `release`: `const lock = useLock(useRoom(), () => cell)`.
 *
 * `acquire` takes the place, also from another window of ours. It resolves to `true` when the place is ours, and
 * rejects with the errors of `room.lock`. The place is released when the component is destroyed, and when the room or
 * the place changes.
 */
export function useLock<T extends RoomTypes>(
  room: RoomStore<LockableRoom<T>>,
  location: MaybeGetter<T['location']>,
): RoomStore<UsedLock<T>> {
  const place = () => valueOf(location)
  const runs = new Set<() => void>()
  const changed = () => runs.forEach((run) => run())
  const { get, release, releaseOthers } = createLockValue(() => room.current, place, changed)
  let unsubscribe = () => {}
  const stops = [
    follow(
      () => room.current,
      (now) => {
        unsubscribe()
        releaseOthers()
        unsubscribe = now.subscribe(changed)
      },
    ),
    follow(() => canonicalText(place()), releaseOthers),
  ]
  onDestroy(() => {
    for (const stop of stops) stop()
    unsubscribe()
    void release()
  })
  return createRoomStore((run) => {
    runs.add(run)
    return () => runs.delete(run)
  }, get)
}
