import { roomBeforeJoin } from './room-before-join.js'
import type {
  LocationError,
  Room,
  RoomBroadcasts,
  RoomCore,
  RoomLockMethods,
  RoomPresenceMethods,
  WatchedRoom,
} from '../client/index.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import type { RoomTypes } from '../shared/room-types.js'

/** The message of the error thrown when something is posted to a room that is only watched. */
export const watchOnly =
  'This RoomProvider has `watch`: it shows the room without being in it, so nothing can be posted.'

let created = 0

/**
 * The room of one RoomProvider, from its first render on. The room itself is joined when the provider is mounted: a render
 * must not join, because React may discard a render, and a server renders on behalf of somebody else. Until then the handle
 * shows the `initial` room that a server sent, or an empty room.
 */
export class RoomHandle<T extends RoomTypes> {
  /** Unique per handle. */
  readonly key = ++created
  /** The same object for the lifetime of the handle. It forwards to the joined room. */
  readonly room: Room<T>
  /** The room before it is joined, as a server's page shows it. */
  readonly initialRoom: Room<T>
  /** True if the server sent the room with the page. */
  readonly hasInitial: boolean
  /** True if the room is watched, not joined: then `post`, `update`, `setPresence` and `flush` throw. */
  readonly isWatching: boolean
  #current: WatchedRoom<T>
  #isJoined = false
  #resolveJoined = () => {}
  /** The value that `wait` throws: a promise while the room is loading, an error after a refusal, `null` when the room is there. */
  #obstacle: Promise<void> | LocationError | null = null

  constructor(id: string, initial: GetLocationsOutput<T> | undefined, isWatching: boolean) {
    const { room, hasInitial } = roomBeforeJoin(id, initial)
    this.initialRoom = this.#current = room
    this.hasInitial = hasInitial
    this.isWatching = isWatching
    // A discarded render holds this promise and nothing else: no timer, no listener, no room.
    if (!hasInitial) this.#obstacle = new Promise((resolve) => (this.#resolveJoined = resolve))
    this.room = forwardTo(id, () => this.#current, isWatching)
  }

  /** True between `attach` and `detach`. */
  get isJoined(): boolean {
    return this.#isJoined
  }

  /** Shows a joined room from now on. */
  attach(room: WatchedRoom<T>): void {
    this.#current = room
    this.#isJoined = true
    this.#resolveJoined()
    if (!this.#obstacle) return
    const settle = (error: LocationError | null) => {
      if (this.#current === room) this.#obstacle = error
    }
    // The client may have this room open already, closed by a refusal: a new mount tries again.
    room.retry()
    this.#obstacle = room.ready().then(() => settle(null), settle)
  }

  /** Returns the joined room, which the caller must leave. The handle keeps showing it. */
  detach(): WatchedRoom<T> {
    this.#isJoined = false
    return this.#current
  }

  /** @throws a promise until the room is loaded, for Suspense; a LocationError after the room was refused. */
  wait(): void {
    // oxlint-disable-next-line typescript/only-throw-error
    if (this.#obstacle) throw this.#obstacle
  }
}

/** A Room that forwards everything to the room that `current` returns at that time. */
function forwardTo<T extends RoomTypes>(id: string, current: () => WatchedRoom<T>, isWatching: boolean): Room<T> {
  const writable = () => {
    if (isWatching) throw new Error(watchOnly)
    return current() as Room<T>
  }
  // The types hide the methods of features that the router lacks; a call would only reach the room's own method.
  type Features = RoomBroadcasts<T> & RoomLockMethods<T> & RoomPresenceMethods<T>
  const whole = (room: unknown) => room as Features
  const features: Features = {
    broadcast: (...call) => whole(writable()).broadcast(...call),
    onBroadcast: (...call) => whole(current()).onBroadcast(...call),
    lock: (...call) => whole(writable()).lock(...call),
    lockedBy: (location) => whole(current()).lockedBy(location),
    setPresence: (patch) => whole(writable()).setPresence(patch),
  }
  const room: RoomCore<T> = {
    id,
    get status() {
      return current().status
    },
    get self() {
      return current().self
    },
    get others() {
      return current().others
    },
    get members() {
      return current().members
    },
    membersAt: (location, options) => current().membersAt(location, options),
    other: (memberId) => current().other(memberId),
    getSnapshot: () => current().getSnapshot(),
    subscribe: (run) => current().subscribe(run),
    on: (event, listener) => current().on(event, listener),
    post: (location) => writable().post(location),
    update: (change) => writable().update(change),
    flush: () => writable().flush(),
    retry: () => current().retry(),
    ready: () => current().ready(),
    leave: () => current().leave(),
  }
  return Object.assign(room, features)
}
