import type { Lock, Room, RoomCore, RoomLockMethods } from '../client/index.js'
import { canonicalText } from '../client/store/same-json.js'
import type { RoomTypes } from '../shared/room-types.js'
import { shallow } from './shallow.js'
import { steady } from './steady.js'
import { createLockHolder, lockStateOf, type UsedLock } from './used-lock.js'

/** A room whose router has locks. */
export type LockableRoom<T extends RoomTypes> = RoomCore<T> & RoomLockMethods<T>

/**
 * Creates the value of `useLock` in Vue, Svelte and Solid. `get` returns the value: the same object until something
 * changes. `changed` is called when our lock is granted or ends. `release` gives our lock up; `releaseOthers` gives it
 * up unless it is for the present room and place.
 */
export function createLockValue<T extends RoomTypes>(
  roomOf: () => LockableRoom<T>,
  location: () => T['location'],
  changed: () => void,
): { get(): UsedLock<T>; release(): Promise<void>; releaseOthers(): void } {
  const room = () => roomOf() as unknown as Room<T>
  let held: Lock<T> | null = null
  const { acquire, release } = createLockHolder<T>((lock) => {
    held = lock
    changed()
  })
  /** The present room and place: the same object until one of them changes. */
  const target = steady(() => ({ room: room(), place: canonicalText(location()) }), shallow)
  /**
   * The room and place of the last call of `acquire`: the watchers of a framework may run only after a call for a new
   * place.
   */
  let wanted: ReturnType<typeof target> | null = null
  const releaseOthers = () => {
    if (target() !== wanted) void release()
  }
  const functions = {
    async acquire() {
      releaseOthers()
      wanted = target()
      return acquire(wanted.room, JSON.parse(wanted.place) as T['location'])
    },
    release,
  }
  return {
    get: steady(() => ({ ...lockStateOf(room(), location(), held), ...functions }), shallow),
    release,
    releaseOthers,
  }
}
