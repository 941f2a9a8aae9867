'use client'

import { useCallback, useState } from 'react'
import { shallow } from '../bindings/shallow.js'
import { createLockHolder, lockStateOf, type UsedLock } from '../bindings/used-lock.js'
import type { Lock } from '../client/index.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'
import { useMountEffect } from './provider.js'
import type { RoomHandle } from './room-handle.js'
import { useRoomValue } from './room-value.js'

export function useLockOf<T extends RoomTypes>(handle: RoomHandle<T>, location: T['location']): UsedLock<T> {
  const { room } = handle
  const text = canonicalText(location)
  const [held, setHeld] = useState<Lock<T> | null>(null)
  const [holder] = useState(() => createLockHolder<T>(setHeld))
  const state = useRoomValue(handle, (current) => lockStateOf(current, location, held), shallow)

  const acquire = useCallback(() => holder.acquire(room, JSON.parse(text) as T['location']), [holder, room, text])
  // Releases the lock when the room or the place changes: in the cleanup of a layout effect, which runs before the
  // layout effects of the app, which may acquire the new place.
  useMountEffect(() => () => void holder.release(), [holder, room, text])
  return { ...state, acquire, release: holder.release }
}
