import { computed, onScopeDispose, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { createLockValue, type LockableRoom } from '../bindings/lock-value.js'
import type { UsedLock } from '../bindings/used-lock.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns who holds a place, and the functions `acquire` and `release`:
 * `const lock = useLock(useRoom(), () => props.cell)`.
 *
 * `acquire` takes the place, also from another window of ours. It resolves to `true` when the place is ours, and
 * rejects with the errors of `room.lock`. The place is released when the component is unmounted, and when the room or
 * the place changes.
 */
export function useLock<T extends RoomTypes>(
  room: MaybeRefOrGetter<LockableRoom<T>>,
  location: MaybeRefOrGetter<T['location']>,
): ComputedRef<UsedLock<T>> {
  const place = () => toValue(location)
  const version = shallowRef({})
  const changed = () => void (version.value = {})
  const { get, release, releaseOthers } = createLockValue(() => toValue(room), place, changed)
  watch(
    () => toValue(room),
    (now, _, onCleanup) => onCleanup(now.subscribe(changed)),
    { immediate: true },
  )
  watch([() => toValue(room), () => canonicalText(place())], releaseOthers)
  onScopeDispose(() => void release())
  return computed(() => {
    void version.value
    return get()
  })
}
