import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import { firstLoad } from '../first-load.js'
import type { BroadcastingRoom, SendBroadcast } from './room-broadcasts.js'

/**
 * Returns a function that loads the code of a room's broadcasts and resolves with the function that sends one. When the
 * code cannot be loaded, no broadcast is received, and sending resolves to `false`.
 */
export const lazyBroadcasts = <T extends RoomTypes>(room: BroadcastingRoom<T>, connection: ServerConnection) => {
  let loading: Promise<SendBroadcast> | undefined
  return () =>
    (loading ??= import('./room-broadcasts.js').then(
      ({ openBroadcasts }) => openBroadcasts(room, connection, firstLoad),
      (thrown: unknown) => async () => {
        loading = undefined
        room.store.emit('error', firstLoad.failureOf(thrown))
        return false
      },
    ))
}
