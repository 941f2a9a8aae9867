import type { GetLocationsOutput } from '../../shared/call-types.js'
import { applyEvent } from '../../shared/view.js'
import { copied } from '../../shared/frozen.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Store } from './store.js'

/** Shows a reply of `getLocations` that the app got from its server, for example with a server-rendered page. */
export function showInitial<T extends RoomTypes>(store: Store<T>, initial: GetLocationsOutput<T> | undefined): void {
  if (!initial) return
  const { id, event } = copied(initial)
  const applied = applyEvent(store.view, id, event)
  if (applied.outcome === 'shown') store.take(applied.shifts)
}
