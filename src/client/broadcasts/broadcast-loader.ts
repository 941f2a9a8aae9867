import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import { failureOf } from '../connection/failure.js'
import { canonicalText } from '../store/same-json.js'
import type { BroadcastingRoom, SendBroadcast } from './room-broadcasts.js'

/**
 * Returns the function that loads the code of a room's broadcasts and resolves with the one that sends. When the code cannot
 * be loaded, nothing is received, and sending resolves to `false`.
 */
export const lazyBroadcasts = <T extends RoomTypes>(room: BroadcastingRoom<T>, connection: ServerConnection) => {
  let loading: Promise<SendBroadcast> | undefined
  return () =>
    (loading ??= import('./room-broadcasts.js').then(
      ({ openBroadcasts }) => openBroadcasts(room, connection, failureOf, canonicalText),
      (thrown: unknown) => async () => {
        loading = undefined
        room.store.emit('error', failureOf(thrown))
        return false
      },
    ))
}
