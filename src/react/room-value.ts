'use client'

import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { Room } from '../client/index.js'
import type { RoomHandle } from './room-handle.js'
import { snapshotSelector } from './snapshot-selector.js'

/** Returns what `read` returns for the room, and renders again when that changes according to `isEqual`. */
export function useRoomValue<L, P, T>(
  { room, initialRoom }: RoomHandle<L, P>,
  read: (room: Room<L, P>) => T,
  isEqual: (a: T, b: T) => boolean = Object.is,
): T {
  const rendered = useRef<{ value: T } | null>(null)
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
export function useSelected<L, P, V, T>(
  handle: RoomHandle<L, P>,
  valueOf: (room: Room<L, P>) => V | null,
  select: ((value: V) => T) | undefined,
  isEqual: ((a: T, b: T) => boolean) | undefined,
): T | null {
  const read = useCallback(
    (room: Room<L, P>) => {
      const value = valueOf(room)
      return value && (select ? select(value) : (value as unknown as T))
    },
    [valueOf, select],
  )
  const isEqualOrNull =
    isEqual && ((a: T | null, b: T | null) => a === b || (a !== null && b !== null && isEqual(a, b)))
  return useRoomValue<L, P, T | null>(handle, read, isEqualOrNull)
}
