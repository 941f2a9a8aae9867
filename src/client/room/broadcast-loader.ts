import { LocationError } from '../../shared/errors.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'
import type { BroadcastsOptions, SendBroadcast } from './broadcasts.js'

/**
 * The broadcasts of a room. Their code is loaded with the first use. When it cannot be loaded, nothing is received, and
 * `broadcast` resolves to `false`.
 */
export function lazyBroadcasts<T extends RoomTypes>(options: BroadcastsOptions<T>) {
  const { store } = options
  let loading: Promise<SendBroadcast | null> | undefined
  const load = () =>
    (loading ??= import('./broadcasts.js').then(
      ({ openBroadcasts }) => openBroadcasts(options),
      () => {
        loading = undefined
        return null
      },
    ))
  const broadcast: SendBroadcast = async (...call) => {
    const send = await load()
    if (send) return send(...call)
    store.emit('error', { error: new LocationError('network', 'Not sent: the code of broadcasts was not loaded.') })
    return false
  }
  return {
    broadcast,
    onBroadcast(name: string, run: (event: BroadcastEvent<T>) => unknown) {
      void load()
      return store.on(`broadcast ${name}`, run)
    },
  }
}
