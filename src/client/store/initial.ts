import type { GetLocationsOutput } from '../../shared/call-types.js'
import { applyEvent } from '../../shared/view.js'
import { copied } from '../../shared/frozen.js'
import type { Store } from './store.js'

/** Shows a reply of `getLocations` that the app has from its server. */
export function showInitial<L, P>(store: Store<L, P>, initial: GetLocationsOutput<L, P> | undefined): void {
  if (!initial) return
  const { id, event } = copied(initial)
  const applied = applyEvent(store.view, id, event)
  if (applied.outcome === 'shown') store.take(applied.shifts)
}
