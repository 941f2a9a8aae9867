import type { Room } from '../client/index.js'

/**
 * A place in a room that is taken when the provider is mounted: a render must not join, since React may render what it
 * never shows, and a server renders for somebody else. Until then the room is empty.
 */
export interface Seat<L, P> {
  /** One object for as long as the seat lasts; it speaks for whichever room is taken. */
  readonly room: Room<L, P>
  /** The room as a server's page shows it. */
  readonly empty: Room<L, P>
  take(room: Room<L, P>): void
}

export function emptySeat<L, P>(id: string): Seat<L, P> {
  const empty = emptyRoom<L, P>(id)
  let taken = empty
  return {
    room: new Proxy(empty, { get: (_, name) => Reflect.get(taken, name) as unknown }),
    empty,
    take(room) {
      taken = room
    },
  }
}

const nobody: readonly never[] = []
const snapshot = { status: { state: 'connecting' }, self: null, others: nobody } as const

function emptyRoom<L, P>(id: string): Room<L, P> {
  const tooEarly = () => {
    throw new Error('A room is joined when its LocationProvider is mounted: call this in an effect or a handler.')
  }
  return {
    id,
    ...snapshot,
    members: nobody,
    at: () => nobody,
    other: () => null,
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
}
