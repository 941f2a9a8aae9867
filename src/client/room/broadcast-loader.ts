import { LocationError } from '../../shared/errors.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import { failureOf } from '../connection/failure.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'
import { canonicalText } from '../store/same-json.js'
import type { Broadcaster, BroadcastingRoom, SendBroadcast } from './broadcasts.js'

/**
 * The broadcasts of a room. Their code is loaded with the first use. When it cannot be loaded, nothing is received, and
 * `broadcast` resolves to `false`.
 */
export function lazyBroadcasts<T extends RoomTypes>(room: BroadcastingRoom<T>, connection: ServerConnection) {
  const { store } = room
  let loading: Promise<Broadcaster<T>> | undefined
  const load = () =>
    (loading ??= import('./broadcasts.js').then(({ openBroadcasts }) =>
      openBroadcasts({ ...room, connection, LocationError, failureOf, canonicalText }),
    ))
  store.on('broadcast', (event) => loading?.then(({ receive }) => receive(event)))
  const broadcast: SendBroadcast = (...call) =>
    load().then(
      ({ send }) => send(...call),
      (thrown: unknown) => {
        loading = undefined
        store.emit('error', { error: failureOf(thrown).error })
        return false
      },
    )
  return {
    broadcast,
    onBroadcast(name: string, run: (event: BroadcastEvent<T>) => unknown) {
      load().catch(() => {})
      return store.on(`broadcast ${name}`, run)
    },
  }
}
