import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import { firstLoad } from '../first-load.js'
import { copyOf } from '../store/same-json.js'
import type { RoomLockMethods } from './lock-types.js'
import type { LockingRoomParts } from './locking-room.js'

/**
 * Returns `lock` of a room, which loads the code of locks. When the code cannot be loaded, `lock` rejects, and its next call
 * tries again.
 */
export const lazyLocks = <T extends RoomTypes>(room: LockingRoomParts<T>, connection: ServerConnection) => {
  let loading: Promise<RoomLockMethods<T>['lock']> | undefined
  const lock: RoomLockMethods<T>['lock'] = async (location, options) => {
    const place = copyOf(location)
    const take = await (loading ??= import('./room-locks.js').then(
      ({ openRoomLocks }) => openRoomLocks(room, connection, firstLoad),
      (thrown: unknown) => {
        loading = undefined
        throw firstLoad.failureOf(thrown).error
      },
    ))
    return take(place, options)
  }
  return lock
}
