import type { LocationError, Room } from '../client/index.js'
import { createStore } from '../client/store/store.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import { applyEvent } from '../shared/view.js'

/**
 * A place in a room that is taken when the provider is mounted: a render must not join, since React may render what it
 * never shows, and a server renders for somebody else. Until then the room is as the server said, or empty.
 */
export interface RoomHandle<L, P> {
  /** Another for each seat. */
  readonly key: number
  /** One object for as long as the seat lasts; it speaks for whichever room is taken. */
  readonly room: Room<L, P>
  /** The room as a server's page shows it, and whether there is anything to show. */
  readonly still: Room<L, P>
  readonly isTold: boolean
  /** Whether somebody sits there. */
  readonly isTaken: boolean
  take(room: Room<L, P>): void
  /** Returns the room that is to be left. */
  free(): Room<L, P>
  /** @throws a promise until the room is there, as Suspense wants it; the room's error when it was refused. */
  wait(): void
}

let seats = 0

export function createRoomHandle<L, P>(id: string, initial: GetLocationsOutput<L, P> | undefined): RoomHandle<L, P> {
  const { still, isTold } = stillRoom(id, initial)
  let taken = still
  let isTaken = false
  let sit = () => {}
  // Renders that are thrown away hold this and nothing else: no timer, no listener, no room.
  const whenTaken = new Promise<void>((resolve) => (sit = resolve))
  let obstacle: Promise<void> | LocationError | null = isTold ? null : whenTaken
  return {
    key: ++seats,
    room: new Proxy(still, { get: (_, name) => Reflect.get(taken, name) as unknown }),
    still,
    isTold,
    get isTaken() {
      return isTaken
    },
    take(room) {
      taken = room
      isTaken = true
      sit()
      if (!obstacle) return
      const settle = (error: LocationError | null) => {
        if (taken === room) obstacle = error
      }
      // It may be open still, and have been refused before.
      room.retry()
      obstacle = room.ready().then(() => settle(null), settle)
    },
    free() {
      isTaken = false
      return taken
    },
    wait() {
      // oxlint-disable-next-line typescript/only-throw-error
      if (obstacle) throw obstacle
    },
  }
}

function stillRoom<L, P>(id: string, initial: GetLocationsOutput<L, P> | undefined) {
  const store = createStore<L, P>(new Date(0), () => {})
  const applied = initial && applyEvent(store.view, initial.id, initial.event)
  if (applied?.outcome === 'shown') store.take(applied.shifts)
  const { snapshot, members, membersAt, other, view } = store
  const tooEarly = () => {
    throw new Error('A room is joined when its RoomProvider is mounted: call this in an effect or a handler.')
  }
  const still: Room<L, P> = {
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
    leave: tooEarly,
  }
  return { still, isTold: view.id !== null }
}
