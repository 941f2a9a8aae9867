import type { GetLocationsOutput } from '../../shared/protocol.js'
import { applyEvent } from '../../shared/view.js'
import { lazyImport } from '../lazy-import.js'
import { paceBy } from './post-pace.js'
import { followPage } from '../browser/page-lifecycle.js'
import { openOwnPresence, type About, type OwnPresence } from './own-presence.js'
import type { Member } from '../store/member.js'
import { openRoomSync } from './room-sync.js'
import { closedBy } from '../connection/room-status.js'
import { createStore, type RoomEvents, type RoomSnapshot } from '../store/store.js'
import type { Transport } from '../connection/transport.js'

export interface Room<L, P> extends RoomSnapshot<L, P> {
  readonly id: string
  /** `others`, and `self` when it is known. */
  readonly members: readonly Member<L, P>[]
  /** "I am here now." The latest wins: at most one post is under way, and none is queued. */
  post(location: L | null): void
  /** Resolves when the newest post is acknowledged; rejects with a LocationError when it is refused or the room is left. */
  flush(): Promise<void>
  /** Resolves with the first snapshot; rejects with a LocationError when the room is refused or left. */
  ready(): Promise<void>
  /**
   * Changes what others see of us besides the location. In a browser the activity follows by itself from input and
   * visibility, until it is said here.
   */
  update(own: About<P>): void
  /** Connects now, while waiting or after a refusal. */
  retry(): void
  /** One of the others by id; `null` when they are not here, or are ourselves. */
  other(memberId: string): Member<L, P> | null
  /** Everybody who is exactly there. The same array as before while the same people are. */
  membersAt(location: L): readonly Member<L, P>[]
  on<K extends keyof RoomEvents<L, P>>(event: K, listener: (event: RoomEvents<L, P>[K]) => void): () => void
  /** Calls `run` now and after every change. */
  subscribe(run: (snapshot: RoomSnapshot<L, P>) => void): () => void
  /** The same object until something changes. */
  getSnapshot(): RoomSnapshot<L, P>
  /**
   * For whoever joined: others who joined the same room here stay, and the last to leave closes it. Once is enough, and more
   * is no harm. Resolves when the server knows, or cannot be told; never rejects.
   */
  leave(): Promise<void>
}

/** A room as all who joined it have it together; each leaves for themselves. */
export type JoinedRoom<L, P> = Omit<Room<L, P>, 'leave'>

export type WatchOptions<L, P> = {
  /** Leaves when aborted. */
  signal?: AbortSignal
  /** What `getLocations` answered on the server: shown at once, and resumed from. */
  initial?: GetLocationsOutput<L, P>
}
export type JoinOptions<L, P> = WatchOptions<L, P> & { location?: L | null; profile?: P }

/** `joining`: `null` for one who only watches. */
export function openRoom<L, P>(
  id: string,
  wire: Transport<L, P>,
  joining: JoinOptions<L, P> | null,
  initial: GetLocationsOutput<L, P> | undefined,
): { room: JoinedRoom<L, P>; close(): Promise<void> } {
  const { clock, idleMs, awayMs } = wire
  const store = createStore<L, P>(new Date(clock.now()), wire.report)
  const { view } = store
  const pace = paceBy(clock)
  const presence: OwnPresence<L, P> = openOwnPresence({
    room: id,
    wire,
    store,
    pace,
    joined: joining !== null,
    line: () => line,
  })
  const line = openRoomSync<L, P>({ room: id, wire, store, pace, presence })

  if (initial) {
    const applied = applyEvent(view, initial.id, initial.event)
    if (applied.outcome === 'shown') store.take(applied.shifts)
  }
  if (joining) {
    const { profile, location = null } = joining
    presence.say(location, { ...(profile !== undefined && { profile }) })
  }
  line.connect()
  // Nobody is idle in the first second: this may come later. Without it everything else goes on.
  const unattend =
    joining && typeof document !== 'undefined'
      ? lazyImport(
          import('../browser/activity-tracker.js'),
          ({ trackActivity }) =>
            trackActivity({ clock, idleMs, awayMs, changed: (activity) => presence.update({ activity }) }),
          () => {},
        )
      : () => {}
  const unfollow = followPage({
    hidden() {
      line.pause()
      presence.pause()
      void presence.depart(3000)
    },
    restored() {
      if (closedBy(line.link)) return
      line.connect()
      presence.resume()
    },
    woken() {
      line.hurry()
      presence.hasten()
    },
  })

  return {
    room: {
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
      membersAt: store.membersAt,
      other: store.other,
      on: store.on,
      subscribe: store.subscribe,
      getSnapshot: () => store.snapshot,
      post: (location) => presence.say(location),
      update(change) {
        if (change.activity !== undefined) unattend()
        presence.update(change)
      },
      flush: presence.flush,
      ready: () => store.expect(() => view.id !== null || closedBy(line.link)),
      retry() {
        // There is an error while waiting and after a refusal; none when live, or left.
        if (!('error' in line.link && line.link.error)) return
        const isClosed = closedBy(line.link)
        line.connect()
        // The page may have been away while the room was closed: then nothing was posted since.
        if (isClosed) presence.resume()
        else presence.hasten()
      },
    },
    close() {
      unfollow()
      unattend()
      presence.pause()
      line.close('left')
      return presence.depart()
    },
  }
}
