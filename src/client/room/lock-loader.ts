import { LocationError } from '../../shared/errors.js'
import { parseEventId } from '../../shared/event-id.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { retryDelayMs } from '../connection/connection-state.js'
import type { ServerConnection } from '../connection/connection.js'
import { failureOf } from '../connection/failure.js'
import type { RoomLockMethods } from '../locks/lock-types.js'
import type { RoomLocks, RoomLocksOptions } from '../locks/room-locks.js'
import { canonicalText } from '../store/same-json.js'

/**
 * Returns `lock` of a room, which loads the code of locks. When the code cannot be loaded, `lock` rejects, and its next call
 * tries again.
 */
export const lazyLocks = <T extends RoomTypes>(room: RoomLocksOptions<T>, connection: ServerConnection) => {
  let loading: Promise<RoomLocks<T>> | undefined
  const lock: RoomLockMethods<T>['lock'] = async (...call) => {
    const locks = await (loading ??= import('../locks/room-locks.js').then(
      ({ RoomLocks }) =>
        new RoomLocks(room, connection, LocationError, failureOf, canonicalText, parseEventId, retryDelayMs),
      (thrown: unknown) => {
        loading = undefined
        throw failureOf(thrown).error
      },
    ))
    return locks.lock(...call)
  }
  return lock
}
