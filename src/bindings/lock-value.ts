import type { Lock, Room, RoomCore, RoomLockMethods } from '../client/index.js'
import type { RoomTypes } from '../shared/room-types.js'
import { shallow } from './shallow.js'
import { steady } from './steady.js'
import { createLockHolder, lockStateOf, type UsedLock } from './used-lock.js'

/** A room whose router has locks. */
export type LockableRoom<T extends RoomTypes> = RoomCore<T> & RoomLockMethods<T>

/**
 * Creates the value of `useLock` in Vue, Svelte and Solid. `get` returns it: the same object until something changes. `changed` is called
 * when our lock is granted or ends.
 */
export function createLockValue<T extends RoomTypes>(
  roomOf: () => LockableRoom<T>,
  location: () => T['location'],
  changed: () => void,
): { get(): UsedLock<T>; release(): Promise<void> } {
  const room = () => roomOf() as unknown as Room<T>
  let held: Lock<T> | null = null
  const { acquire, release } = createLockHolder<T>((lock) => {
    held = lock
    changed()
  })
  const functions = { acquire: () => acquire(room(), location()), release }
  return { get: steady(() => ({ ...lockStateOf(room(), location(), held), ...functions }), shallow), release }
}
