import type { Broadcasts } from '../../shared/broadcast-types.js'
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
  const load = () => (loading ??= loadNow())
  const loadNow = async () => {
    const early: Broadcasts<T>[] = []
    // What arrives meanwhile is kept, but not for ever: the code may never arrive.
    const stop = store.on('broadcast', (event) => early.length < 64 && early.push(event))
    try {
      return (await import('./broadcasts.js')).openBroadcasts(options, early)
    } catch {
      loading = undefined
      return null
    } finally {
      stop()
    }
  }
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
