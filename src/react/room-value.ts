'use client'

import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { Room } from '../client/index.js'
import type { RoomHandle } from './room-handle.js'
import { snapshotSelector } from './snapshot-selector.js'
import type { RoomTypes } from '../shared/room-types.js'

/** Returns what `read` returns for the room, and renders again when that changes according to `isEqual`. */
export function useRoomValue<T extends RoomTypes, R>(
  { room, initialRoom }: RoomHandle<T>,
  read: (room: Room<T>) => R,
  isEqual: (a: R, b: R) => boolean = Object.is,
): R {
  const rendered = useRef<{ value: R } | null>(null)
  const subscribe = useCallback((run: () => void) => room.subscribe(run), [room])
  // Like React's useSyncExternalStoreWithSelector: the rendered value avoids a render when `read` is a new closure.
  // oxlint-disable-next-line react/refs
  const get = useMemo(() => snapshotSelector(room, read, isEqual, rendered), [room, read, isEqual])
  // oxlint-disable-next-line react/refs
  const getInitial = useMemo(() => snapshotSelector(initialRoom, read, isEqual, rendered), [initialRoom, read, isEqual])
  const value = useSyncExternalStore(subscribe, get, getInitial)
  useEffect(() => {
    rendered.current = { value }
  }, [value])
  return value
}

/**
 * Returns `select` applied to one value of the room, or the value itself without `select`. Returns `null` while the value
 * is `null`.
 */
export function useSelected<T extends RoomTypes, Value, R>(
  handle: RoomHandle<T>,
  valueOf: (room: Room<T>) => Value | null,
  select: ((value: Value) => R) | undefined,
  isEqual: ((a: R, b: R) => boolean) | undefined,
): R | null {
  const read = useCallback(
    (room: Room<T>) => {
      const value = valueOf(room)
      return value && (select ? select(value) : (value as unknown as R))
    },
    [valueOf, select],
  )
  const isEqualOrNull =
    isEqual && ((a: R | null, b: R | null) => a === b || (a !== null && b !== null && isEqual(a, b)))
  return useRoomValue<T, R | null>(handle, read, isEqualOrNull)
}
