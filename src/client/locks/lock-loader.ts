import { LocationError } from '../../shared/errors.js'
import { parseEventId } from '../../shared/event-id.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { retryDelayMs } from '../connection/connection-state.js'
import type { ServerConnection } from '../connection/connection.js'
import { failureOf } from '../connection/failure.js'
import { canonicalText } from '../store/same-json.js'
import type { RoomLockMethods } from './lock-types.js'
import type { LockingRoomParts } from './locking-room.js'

/**
 * Returns `lock` of a room, which loads the code of locks. When the code cannot be loaded, `lock` rejects, and its next call
 * tries again.
 */
export const lazyLocks = <T extends RoomTypes>(room: LockingRoomParts<T>, connection: ServerConnection) => {
  let loading: Promise<RoomLockMethods<T>['lock']> | undefined
  const lock: RoomLockMethods<T>['lock'] = async (...call) => {
    const take = await (loading ??= import('./room-locks.js').then(
      ({ openRoomLocks }) =>
        openRoomLocks(room, connection, { LocationError, failureOf, canonicalText, parseEventId, retryDelayMs }),
      (thrown: unknown) => {
        loading = undefined
        throw failureOf(thrown).error
      },
    ))
    return take(...call)
  }
  return lock
}
