import {
  createLocationClient,
  type IfLocks,
  type LocationClient,
  type Room,
  type RoomBroadcasts,
} from '../client/index.js'
import { systemClock } from '../shared/index.js'
import type {
  Activity,
  BroadcastName,
  BroadcastsOf,
  CellLocation,
  Clock,
  Connection,
  IfBroadcasts,
  LeftReason,
  RoomTypes,
  RoomTypesWith,
} from '../shared/index.js'
import { fakeServer, presenceOf, type SentBroadcast } from './fake-server.js'

/** The options of `fakeRoom`. Each has a default. */
export interface FakeRoomOptions<T extends RoomTypes> {
  /** The id of the room. Default `fake-room`. */
  room?: string
  /** The memberId of the member under test. Default `me`. */
  memberId?: string
  profile?: T['profile']
  location?: T['location'] | null
  /** The other members who are in the room from the start, by memberId. */
  others?: Record<string, FakeMember<T>>
  /** Default: the system clock. With `manualClock()`, a test controls when the event `lost` is emitted. */
  clock?: Clock
}

/**
 * The public state of a member. An absent location or profile is `null`, an absent activity is `active`, an absent presence
 * value is `{}`.
 */
export type FakeMember<T extends RoomTypes> = {
  location?: T['location'] | null
  profile?: T['profile'] | null
  activity?: Activity
} & ([T['presence']] extends [never] ? unknown : { presence?: T['presence'] })

/**
 * A joined room whose other members the test controls. Each promise resolves when the room shows the change, or a newer one of
 * the same member, and when the room is closed.
 */
export type FakeRoom<T extends RoomTypes> = FakeRoomCore<T> &
  IfBroadcasts<T, FakeBroadcasts<T>> &
  IfLocks<T, FakeLocks<T>>

/** The part of a fake room for apps with broadcasts. */
export interface FakeBroadcasts<T extends RoomTypes> {
  /** The broadcasts of the room under test, oldest first. Nobody receives them. */
  readonly broadcasts: readonly SentBroadcast<T>[]
  /**
   * Another member sends a broadcast, or with `null` the server does. Resolves when the listeners of the room were
   * called, or at once while the room is disconnected, which never receives it.
   */
  sends<K extends BroadcastName<T>>(memberId: string | null, name: K, payload: BroadcastsOf<T>[K]): Promise<void>
}

/** The part of a fake room for apps with locks. */
export interface FakeLocks<T extends RoomTypes> {
  /** Another member, who is in the room, locks a place. Ignored while the room under test holds the place. */
  locks(memberId: string, location: T['location']): Promise<void>
  /** Another member ends the lock of a place. */
  unlocks(memberId: string, location: T['location']): Promise<void>
}

/** The part of a fake room that every app has. */
export interface FakeRoomCore<T extends RoomTypes> extends AsyncDisposable {
  /** The joined room: a real room of a real client, on a fake server. */
  readonly room: Room<T>
  /** The client, for your RoomProvider. Every room that it joins is this fake room. */
  readonly client: LocationClient<T>
  /** The posts of the room under test, oldest first. */
  readonly posts: readonly FakeMember<T>[]
  /** Another member enters the room. */
  enters(memberId: string, member?: FakeMember<T>): Promise<void>
  /** Another member posts a location. */
  moves(memberId: string, location: T['location'] | null): Promise<void>
  /** Another member changes the profile or the activity. */
  updates(memberId: string, change: Pick<FakeMember<T>, 'profile' | 'activity'>): Promise<void>
  /** Another member posts a whole presence value. */
  setsPresence(memberId: string, presence: T['presence']): Promise<void>
  /** Another member leaves. Default reason: `left`. */
  leaves(memberId: string, reason?: LeftReason): Promise<void>
  /** Cuts the network in both directions until `restoresConnection`. */
  losesConnection(): Promise<void>
  /** Ends `losesConnection`: the room reconnects and becomes live. */
  restoresConnection(): Promise<void>
  /** The server sends `degraded` in place of heartbeats until `recovers`. */
  degrades(): Promise<void>
  /** Ends `degrades`. */
  recovers(): Promise<void>
  /**
   * Makes the server refuse the next posts of the room under test with this message. `null` makes it accept posts
   * again.
   */
  refusesPosts(message: string | null): void
  /** Leaves the room and closes its client, as `await using` does. */
  close(): Promise<void>
}

/**
 * Joins a room for tests of your own components: without a server or a network, and with other members that the test controls.
 *
 * ```ts
 * await using fake = await fakeRoom<RoomTypesOf<AppRouter>>()
 * render(<RoomProvider client={fake.client} room={fake.room.id}><Sheet /></RoomProvider>)
 * await act(() => fake.enters('ada', { location: { sheet: 'Q3', row: 4, col: 2 } }))
 * ```
 */
export async function fakeRoom<T extends RoomTypes = RoomTypesWith<{ location: CellLocation }>>(
  options: FakeRoomOptions<T> = {},
): Promise<FakeRoom<T>> {
  const { room: id = 'fake-room', memberId: me = 'me', others = {}, clock = systemClock, profile, location } = options
  const server = fakeServer<T>(me)
  for (const [memberId, member] of Object.entries(others)) server.set(connectionOf(memberId, member))
  // T cannot be inferred from a router, because there is none: the test gives it.
  const create = createLocationClient as unknown as (options: object) => LocationClient<T>
  const client = create({ url: 'http://fake.invalid', fetch: server.fetch, clock, share: false })
  const room = client.join(id, {
    ...(profile !== undefined && { profile }),
    ...(location !== undefined && { location }),
  })

  /** Resolves when the room shows something. A closed room shows nothing any more. */
  const shows = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      let stop = () => {}
      let shown = false
      stop = room.subscribe(({ status }) => {
        if (shown || !(status.state === 'closed' || holds())) return
        shown = true
        // Deferred, because the call of `subscribe` may not have returned `stop` yet.
        queueMicrotask(() => stop())
        resolve()
      })
    })
  /** Resolves when the room shows a member as the server does. A room that was disconnected sees only the newest change. */
  const showsNewest = (memberId: string) =>
    shows(() => room.other(memberId)?.connections[0]?.at.getTime() === dateOf(server.get(memberId)))
  const put = (memberId: string, member: FakeMember<T>) => {
    server.set(connectionOf(memberId, { ...(server.get(memberId) as FakeMember<T> | undefined), ...member }))
    return showsNewest(memberId)
  }
  const close = () => client.close()
  await Promise.all([room.flush(), room.ready()])
  const broadcasting = room as unknown as RoomBroadcasts<T>
  // Sends a broadcast that the fake server ignores. This loads the code of broadcasts, so that the room receives the
  // broadcasts of the test at once.
  await broadcasting.broadcast('' as BroadcastName<T>, null as never)
  const fake: FakeRoomCore<T> & FakeBroadcasts<T> & FakeLocks<T> = {
    room,
    client,
    posts: server.posts,
    enters: (memberId, member) => put(memberId, member ?? {}),
    moves: (memberId, location) => put(memberId, { location }),
    locks(memberId, location) {
      server.lock(memberId, location)
      return showsNewest(memberId)
    },
    unlocks(memberId, location) {
      server.unlock(memberId, location)
      return showsNewest(memberId)
    },
    updates: (memberId, change) => put(memberId, change),
    setsPresence: (memberId, presence) => put(memberId, { presence }),
    leaves(memberId, reason = 'left') {
      server.remove(memberId, reason)
      return showsNewest(memberId)
    },
    losesConnection() {
      server.disconnect()
      return shows(() => room.status.state !== 'live')
    },
    restoresConnection() {
      server.reconnect()
      room.retry()
      return shows(() => room.status.state === 'live')
    },
    degrades() {
      server.degrade()
      return shows(() => room.status.state === 'degraded')
    },
    recovers() {
      server.beat()
      return shows(() => room.status.state === 'live')
    },
    broadcasts: server.broadcasts,
    sends: (memberId, name, payload) =>
      new Promise((resolve) => {
        const heard = () => {
          queueMicrotask(() => stop())
          resolve()
        }
        // The test added its own listeners earlier, so they were called before this one.
        const stop = broadcasting.onBroadcast(name, heard)
        // A room that is disconnected never receives it.
        if (!server.broadcast(memberId, name, payload)) heard()
      }),
    refusesPosts: server.refusePosts,
    close,
    [Symbol.asyncDispose]: close,
  }
  return fake
}

const dateOf = (connection: { at: number } | undefined) => connection && connection.at / 1_000

const connectionOf = <T extends RoomTypes>(
  memberId: string,
  { location = null, profile = null, activity = 'active', ...rest }: FakeMember<T>,
): Connection<T> => {
  const presence = presenceOf(rest)
  // A member who moves or changes otherwise keeps the locks.
  const { locks } = rest as { locks?: Connection<T>['locks'] }
  const connection = { connectionId: memberId, memberId, location, profile, activity, at: 0 }
  return { ...connection, ...(Object.keys(presence).length > 0 && { presence }), ...(locks && { locks }) }
}
