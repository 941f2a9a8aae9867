import type { LockView, Room, RoomCore } from '../client/index.js'
import { heldBy } from '../client/locks/held-by.js'
import { showInitial } from '../client/store/initial.js'
import { createStore } from '../client/store/store.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns the room that a server renders: `initial`, or an empty room. The room never changes. Posts are ignored,
 * because a component that posts while it is set up posts again in the browser.
 */
export function roomOnServer<T extends RoomTypes>(id: string, initial: GetLocationsOutput<T> | undefined): Room<T> {
  const store = createStore<T>(new Date(0), () => {})
  showInitial(store, initial)
  const { snapshot, members, membersAt, other, on, subscribe } = store
  const ignore = () => {}
  const room: Partial<RoomCore<T>> & LockView<T> & { onBroadcast(): () => void; setPresence(): void } = {
    id,
    ...snapshot,
    members,
    membersAt,
    other,
    on,
    onBroadcast: () => ignore,
    subscribe,
    getSnapshot: () => snapshot,
    lockedBy: (location) => heldBy(store, location),
    post: ignore,
    update: ignore,
    setPresence: ignore,
    leave: ignore as unknown as Room<T>['leave'],
  }
  return room as unknown as Room<T>
}
