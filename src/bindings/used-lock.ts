import type { Lock, Member, Room, RoomLockMethods } from '../client/index.js'
import { sameJson } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * The state of a place: free, or held by this component (`mine`), by another window of ours (`otherWindow`) or by
 * another member (`taken`).
 */
export type LockState<T extends RoomTypes> =
  | { readonly state: 'free' }
  | { readonly state: 'mine'; readonly lock: Lock<T> }
  | { readonly state: 'otherWindow' | 'taken'; readonly holder: Member<T> }

/** The result of `useLock`. The functions stay the same while the room and the place do. */
export type UsedLock<T extends RoomTypes> = LockState<T> & {
  /** Takes the place, also from another window of ours. Resolves to `true` when this component holds it. */
  acquire(): Promise<boolean>
  /** Releases the place. Resolves when the server was told. */
  release(): Promise<void>
}

/** A room whose router has locks, whatever its type says. */
const lockable = <T extends RoomTypes>(room: Room<T>) => room as unknown as RoomLockMethods<T>

/** Returns the state of a place. `held` is the lock that this component holds, for this place or another. */
export function lockStateOf<T extends RoomTypes>(
  room: Room<T>,
  location: T['location'],
  held: Lock<T> | null,
): LockState<T> {
  if (held && sameJson(held.location, location)) return { state: 'mine', lock: held }
  const holder = lockable(room).lockedBy(location)
  if (!holder) return { state: 'free' }
  return { state: holder.memberId === room.self?.memberId ? 'otherWindow' : 'taken', holder }
}

type Wanted<T extends RoomTypes> = { controller: AbortController; lock: Lock<T> | null }

/**
 * Keeps the lock of one component, or its pending call for a lock. `changed` receives the lock when it is granted, and
 * `null` when it ends.
 */
export function createLockHolder<T extends RoomTypes>(changed: (held: Lock<T> | null) => void) {
  let wanted: Wanted<T> | null = null
  return {
    /**
     * Takes the place. Resolves to `true` when this component holds it. While the component holds or wants a place, a
     * call takes nothing.
     */
    async acquire(room: Room<T>, location: T['location']): Promise<boolean> {
      if (wanted) return !!wanted.lock && sameJson(wanted.lock.location, location)
      const mine: Wanted<T> = { controller: new AbortController(), lock: null }
      wanted = mine
      const drop = () => {
        if (wanted === mine) changed((wanted = null))
      }
      try {
        const lock = await lockable(room).lock(location, { signal: mine.controller.signal, takeOver: true })
        if (wanted !== mine) {
          // Given up in the moment in which it was granted.
          if (lock) await lock.release()
          return false
        }
        if (!lock || lock.signal.aborted) {
          wanted = null
          return false
        }
        mine.lock = lock
        lock.signal.addEventListener('abort', drop)
        changed(lock)
        return true
      } catch (error) {
        if (wanted !== mine) return false
        wanted = null
        throw error
      }
    },
    /** Releases the lock, or cancels the pending call for it. */
    async release(): Promise<void> {
      if (!wanted) return
      const { controller, lock } = wanted
      wanted = null
      controller.abort()
      changed(null)
      await lock?.release()
    },
  }
}
