import type { LockView, Room, RoomBroadcasts, RoomCore } from '../client/index.js'
import { heldBy } from '../client/locks/held-by.js'
import { showInitial } from '../client/store/initial.js'
import { createStore } from '../client/store/store.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * Returns the room that a page shows before it joins, and that a server renders: `initial`, or an empty room. It can be
 * read; methods that subscribe or post throw.
 */
export function roomBeforeJoin<T extends RoomTypes>(id: string, initial: GetLocationsOutput<T> | undefined) {
  const store = createStore<T>(new Date(0), () => {})
  showInitial(store, initial)
  const { snapshot, members, membersAt, other, view } = store
  const tooEarly = () => {
    throw new Error('A room is joined when its RoomProvider is mounted: call this in an effect or an event handler.')
  }
  const room: RoomCore<T> & LockView<T> & Record<keyof RoomBroadcasts<T> | 'lock' | 'setPresence', () => never> = {
    id,
    ...snapshot,
    members,
    membersAt,
    other,
    getSnapshot: () => snapshot,
    subscribe: tooEarly,
    on: tooEarly,
    post: tooEarly,
    update: tooEarly,
    retry: tooEarly,
    ready: tooEarly,
    flush: tooEarly,
    setPresence: tooEarly,
    leave: tooEarly,
    broadcast: tooEarly,
    onBroadcast: tooEarly,
    lock: tooEarly,
    lockedBy: (location) => heldBy(store, location),
  }
  return { room: room as unknown as Room<T>, hasInitial: view.id !== null }
}
