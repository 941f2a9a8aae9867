import type { GetLocationsOutput } from '../../shared/call-types.js'
import { followPage, followVisibility, isHidden, isPrerendered } from '../browser/page-lifecycle.js'
import type { ServerConnection } from '../connection/connection.js'
import { closedBy } from '../connection/room-status.js'
import type { Transport } from '../connection/transport.js'
import { firstLoad } from '../first-load.js'
import { lazyImport } from '../lazy-import.js'
import { heldBy } from '../locks/held-by.js'
import type { IfLocks, LockView, RoomLockMethods } from '../locks/lock-types.js'
import { showInitial } from '../store/initial.js'
import type { MembersAtOptions } from '../store/location-index.js'
import type { Member } from '../store/member.js'
import { copyOf } from '../store/same-json.js'
import { createStore, type RoomEvents, type RoomSnapshot, type Store } from '../store/store.js'
import type { IfBroadcasts } from '../../shared/broadcast-types.js'
import type { BroadcastListening, BroadcastOptions, RoomBroadcasts } from '../broadcasts/broadcast-api.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'
import { lazyBroadcasts } from '../broadcasts/broadcast-loader.js'
import { lazyLocks } from '../locks/lock-loader.js'
import { watchEpochs } from './epoch-watch.js'
import { openOwnPresence, type OwnAttributes, type OwnPresence, type PresencePatch } from './own-presence.js'
import { paceBy } from './post-pace.js'
import { openRoomSync, type RoomSyncOptions } from './room-sync.js'
import type { RoomTypes } from '../../shared/room-types.js'

/**
 * A joined room: who is there, and our own location in it. Repeated joins of a room share one connection and one state.
 *
 * ```ts
 * const room = client.join('sheet-42', { profile: { name: 'Ada' } })
 * room.subscribe(({ others }) => console.log(others))
 * room.post({ sheet: 'Q3', row: 4, col: 2 })
 * ```
 */
export type Room<T extends RoomTypes> = RoomCore<T> &
  IfPresence<T, RoomPresenceMethods<T>> &
  IfBroadcasts<T, RoomBroadcasts<T>> &
  IfLocks<T, RoomLockMethods<T>>

/** `Yes` for an app with a presence schema, otherwise `unknown`. */
export type IfPresence<T extends RoomTypes, Yes> = [T['presence']] extends [never] ? unknown : Yes

/** The method of a room for presence values. It exists when the hub has a `presence` schema. */
export interface RoomPresenceMethods<T extends RoomTypes> {
  /**
   * Changes our presence value by key: `{ typing: true }`. A key whose value is `undefined` is removed, and other keys
   * stay. Posts that change only the presence value are at least 100 ms apart, and the newest wins. Never throws, like
   * `post`; an `error` event with the code `misconfigured` says that the server has no presence schema.
   */
  setPresence(patch: PresencePatch<T['presence']>): void
}

/** The part of a room that every router has. */
export interface RoomCore<T extends RoomTypes> extends RoomSnapshot<T> {
  readonly id: string
  /** All members: `others`, and `self` when it is known. */
  readonly members: readonly Member<T>[]
  /**
   * Sets our location. The latest call wins: at most one post is in flight, and none is queued. Never throws: a location
   * that is not JSON (such as NaN) or that the server refuses raises an `error` event, and `flush` rejects.
   */
  post(location: T['location'] | null): void
  /**
   * Resolves when the newest post is acknowledged. Rejects with a LocationError when that post is refused or the room
   * is left.
   */
  flush(): Promise<void>
  /** Resolves with the first snapshot. Rejects with a LocationError when the room is refused or left. */
  ready(): Promise<void>
  /**
   * Changes our profile or activity; a profile of `null` removes ours. In a browser, the activity follows input and
   * page visibility by itself until it is set here.
   */
  update(own: OwnAttributes<T>): void
  /** Connects at once, while the room waits for its next attempt or after it was closed by a refusal. */
  retry(): void
  /** Returns another member by id; `null` when that member is not in the room, and for our own id. */
  other(memberId: string): Member<T> | null
  /**
   * Returns the members at exactly this location: the same array while the members are the same. Each member is counted
   * once, where the member is shown; with `windows: 'all'`, also wherever another window of the member is.
   */
  membersAt(location: T['location'], options?: MembersAtOptions): readonly Member<T>[]
  /** Adds a listener and returns a function that removes it. Its exceptions and rejections go to `logger`. */
  on<K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void): () => void
  /** Calls `run` now and after every change. Returns a function that ends the subscription. */
  subscribe(run: (snapshot: RoomSnapshot<T>) => void): () => void
  /** Returns the same object until something changes. */
  getSnapshot(): RoomSnapshot<T>
  /**
   * Releases this handle. The room stays open for its other handles; the last `leave()` closes the room, which then
   * shows nobody. Repeated calls have no effect. Resolves when the server was told or cannot be reached; never rejects.
   */
  leave(): Promise<void>
}

/** A room that we watch without being in it: it has no methods that post. */
export type WatchedRoom<T extends RoomTypes> = WatchedRoomCore<T> &
  IfBroadcasts<T, BroadcastListening<T>> &
  IfLocks<T, LockView<T>>

/** The part of a watched room that every router has. */
export type WatchedRoomCore<T extends RoomTypes> = Omit<RoomCore<T>, 'post' | 'flush' | 'update'>

/**
 * A room as its handles share it: without `leave`, which each handle has for itself. If watched, without methods that
 * post.
 */
export type JoinedRoom<T extends RoomTypes> = Omit<RoomCore<T>, 'leave'>

/** The options of `client.watch`, which shows a room without being in it. */
export type WatchOptions<T extends RoomTypes> = {
  /** Leaves the room when aborted. */
  signal?: AbortSignal
  /** A reply of `getLocations` from the server: shown at once, and the stream resumes from it. */
  initial?: GetLocationsOutput<T>
}
/** The options of `client.join`. */
export type JoinOptions<T extends RoomTypes> = WatchOptions<T> & {
  location?: T['location'] | null
  /** Default: the profile that the member already has; `null` removes it. */
  profile?: T['profile'] | null
}

/** Opens a room. `joining` is `null` when we only watch. */
export function openRoom<T extends RoomTypes>(
  id: string,
  transport: Transport<T>,
  joining: JoinOptions<T> | null,
  initial: GetLocationsOutput<T> | undefined,
): { room: JoinedRoom<T>; renew(): void; close(): Promise<void> } {
  const { clock } = transport
  const store = createStore<T>(clock.date(), transport.report)
  const pace = paceBy(clock)
  const told = watchEpochs({ transport, store, pace })
  const base = { room: id, transport, store, pace, told }
  const presence: OwnPresence<T> = openOwnPresence({
    ...base,
    joined: joining !== null,
    link: () => connection.link,
    reconnect: () => connection.renew(),
  })
  const parts = { ...base, presence }
  const connection = openRoomSync<T>(parts)

  showInitial(store, initial)
  if (joining) {
    const { profile, location = null } = joining
    // A tab that was opened in the background is away at once, because nobody has looked at it.
    const isAway = transport.awayMs === 0 && isHidden()
    presence.enter(location, { profile, ...(isAway && { activity: 'away' as const }) })
  }
  if (isPrerendered()) presence.pause()
  else connection.connect()
  const { unfollow, stopActivity } = followPageOf(parts, connection, joining !== null)

  const broadcasts = lazyBroadcasts<T>(parts, connection)
  const room = watchedRoom(id, store, connection, presence, broadcasts)
  return {
    room: (joining
      ? Object.assign(room, {
          async broadcast(name: string, payload: unknown, to?: BroadcastOptions) {
            const copy = copyOf(payload)
            return (await broadcasts())(name, copy, to)
          },
          post: (location: T['location'] | null) => presence.post(location),
          update(change: OwnAttributes<T>) {
            if (change.activity !== undefined) stopActivity()
            presence.update(change)
          },
          flush: presence.flush,
          setPresence: presence.setPresence,
          lock: lazyLocks<T>(parts, connection),
        })
      : room) as unknown as JoinedRoom<T>,
    renew: connection.renew,
    close() {
      unfollow()
      stopActivity()
      presence.pause()
      connection.close('left')
      // A room that was left shows nobody, because somebody else may sign in on this page.
      const { view } = store
      store.own({ connectionId: null, memberId: null })
      store.take([...view.connections.keys(), ...view.stale.keys()].map((connectionId) => view.set(connectionId, null)))
      return presence.depart()
    },
  }
}

/**
 * Follows the page of a browser: whether it is open, back from a sleep, visible and used. The code for all but the
 * first is loaded now, because after a sleep the network may be dead. When the code cannot be loaded, only waiting
 * retries become due after a sleep, dead sockets are noticed by their silence, and a hidden page is away.
 */
function followPageOf<T extends RoomTypes>(
  parts: RoomSyncOptions<T>,
  connection: ServerConnection,
  isJoined: boolean,
): { unfollow(): void; stopActivity(): void } {
  const nothing = () => {}
  const { transport, store, presence } = parts
  let woken = (_changed: boolean) => {
    connection.hurry()
    presence.hasten()
  }
  const code = import('./page-code.js')
  code.then(({ wakeUp }) => (woken = wakeUp(parts, connection, firstLoad)), nothing)
  if (typeof document === 'undefined') return { unfollow: nothing, stopActivity: nothing }
  return {
    unfollow: followPage({
      hidden() {
        connection.pause()
        presence.pause()
        void presence.depart(3000)
      },
      shown() {
        if (closedBy(connection.link)) return
        connection.resume()
        presence.resume()
      },
      woken: (changed) => woken(changed),
    }),
    stopActivity: isJoined
      ? lazyImport(
          code,
          ({ trackActivity }) => trackActivity({ ...transport, store, presence }),
          () => followVisibility((activity) => presence.update({ activity })),
        )
      : nothing,
  }
}

/** `onBroadcast` for any name. Every room has it; the types of a router without broadcasts hide it. */
type AnyListening<T extends RoomTypes> = {
  onBroadcast(name: string, run: (event: BroadcastEvent<T>) => unknown): () => void
}

/** The part of a room that does not post. */
const watchedRoom = <T extends RoomTypes>(
  id: string,
  store: Store<T>,
  connection: ServerConnection,
  presence: OwnPresence<T>,
  broadcasts: () => unknown,
): Omit<WatchedRoomCore<T>, 'leave'> & AnyListening<T> & LockView<T> => ({
  id,
  get status() {
    return store.snapshot.status
  },
  get self() {
    return store.snapshot.self
  },
  get others() {
    return store.snapshot.others
  },
  get members() {
    return store.members
  },
  lockedBy: (location: T['location']) => heldBy(store, location),
  membersAt: store.membersAt,
  other: store.other,
  on: store.on,
  onBroadcast(name: string, run: (event: BroadcastEvent<T>) => unknown) {
    broadcasts()
    return store.on(`broadcast ${name}`, run)
  },
  subscribe: store.subscribe,
  getSnapshot: () => store.snapshot,
  ready: () => store.expect(() => store.view.id !== null || closedBy(connection.link)),
  retry() {
    // A room that is live or was left has no error, and is not retried.
    const { link } = connection
    if (!('error' in link && link.error)) return
    const isClosed = closedBy(link)
    connection.connect()
    // If the page was hidden while the room was closed, our posts are still paused.
    if (isClosed) presence.resume()
    else presence.hasten()
  },
})
