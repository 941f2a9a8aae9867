'use client'

import { useCallback, useEffect, useRef, useState } from 'react'
import type { Lock, Member, Room, RoomLockMethods } from '../client/index.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'
import type { RoomHandle } from './room-handle.js'
import { useRoomValue } from './room-value.js'

/** Who holds a place. `otherWindow`: another window of ours has it. */
export type LockState<T extends RoomTypes> =
  | { readonly state: 'free' }
  | { readonly state: 'mine'; readonly lock: Lock<T> }
  | { readonly state: 'otherWindow' | 'taken'; readonly holder: Member<T> }

/** The result of `useLock`. The functions are the same while the room and the place are. */
export type UsedLock<T extends RoomTypes> = LockState<T> & {
  /** Asks for the place, also from another window of ours. Resolves with whether it is ours. */
  acquire(): Promise<boolean>
  /** Gives the place up. Resolves when the server was told. */
  release(): Promise<void>
}

type Wanted<T extends RoomTypes> = { controller: AbortController; lock: Lock<T> | null }

export function useLockOf<T extends RoomTypes>(handle: RoomHandle<T>, location: T['location']): UsedLock<T> {
  const lockable = (room: Room<T>) => room as unknown as RoomLockMethods<T>
  const room = lockable(handle.room)
  const text = canonicalText(location)
  const [held, setHeld] = useState<{ text: string; lock: Lock<T> } | null>(null)
  // The lock of this component, or the call for it, until it is released.
  const wanted = useRef<Wanted<T> | null>(null)
  const holder = useRoomValue(handle, (current) => lockable(current).lockedBy(location))
  const selfId = useRoomValue(handle, (current) => current.self?.memberId ?? null)

  const release = useCallback(async () => {
    const { controller, lock } = wanted.current ?? {}
    wanted.current = null
    setHeld(null)
    controller?.abort()
    await lock?.release()
  }, [])
  const acquire = useCallback(async () => {
    if (wanted.current) return wanted.current.lock !== null
    const mine: Wanted<T> = { controller: new AbortController(), lock: null }
    wanted.current = mine
    const place = JSON.parse(text) as T['location']
    const given = () => wanted.current !== mine
    try {
      const lock = await room.lock(place, { signal: mine.controller.signal, takeOver: true })
      if (given()) return false
      if (!lock) {
        wanted.current = null
        return false
      }
      mine.lock = lock
      lock.signal.addEventListener('abort', () => {
        if (given()) return
        wanted.current = null
        setHeld(null)
      })
      setHeld({ text, lock })
      return true
    } catch (error) {
      if (given()) return false
      wanted.current = null
      throw error
    }
  }, [room, text])
  // Another room or place releases this one.
  // oxlint-disable-next-line react/exhaustive-effect-dependencies
  useEffect(() => () => void release(), [release, room, text])

  const functions = { acquire, release }
  if (held?.text === text) return { state: 'mine', lock: held.lock, ...functions }
  if (!holder) return { state: 'free', ...functions }
  return { state: holder.memberId === selfId ? 'otherWindow' : 'taken', holder, ...functions }
}
