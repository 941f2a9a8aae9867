import { computed, onScopeDispose, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { createLockValue, type LockableRoom } from '../bindings/lock-value.js'
import type { UsedLock } from '../bindings/used-lock.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns who holds a place, and `acquire` and `release`: `const lock = useLock(useRoom(), () => props.cell)`.
 *
 * `acquire` resolves with whether the place is ours; it takes the place from another window of ours, and rejects with the errors of
 * `room.lock`. The place is released when the component is unmounted, or asks for another one.
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
