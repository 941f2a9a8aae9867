import { createLocationClient, type LocationClient, type Room } from '../client/index.js'
import { systemClock } from '../shared/index.js'
import type {
  Activity,
  CellLocation,
  Clock,
  Connection,
  LeftReason,
  RoomTypes,
  RoomTypesWith,
} from '../shared/index.js'
import { fakeServer } from './fake-server.js'

export interface FakeRoomOptions<T extends RoomTypes> {
  /** Its id. Default `fake-room`. */
  room?: string
  /** Who we are. Default `me`. */
  memberId?: string
  profile?: T['profile']
  location?: T['location'] | null
  /** Whoever is there before us, by memberId. */
  others?: Record<string, FakeMember<T>>
  /** Default: the machine's. With `manualClock()` a test decides when `lost` comes. */
  clock?: Clock
}

/** What others see of somebody; what is left out is `null`, or `active`. */
export type FakeMember<T extends RoomTypes> = {
  location?: T['location'] | null
  profile?: T['profile'] | null
  activity?: Activity
}

/** Each of these resolves when the room shows it. */
export interface FakeRoom<T extends RoomTypes> extends AsyncDisposable {
  /** The room, joined: the real thing, on a server that is played by hand. */
  readonly room: Room<T>
  /** For your RoomProvider: whatever room is joined with it is this one. */
  readonly client: LocationClient<T>
  /** What we posted, oldest first. */
  readonly posts: readonly FakeMember<T>[]
  enters(memberId: string, member?: FakeMember<T>): Promise<void>
  moves(memberId: string, location: T['location'] | null): Promise<void>
  updates(memberId: string, change: Pick<FakeMember<T>, 'profile' | 'activity'>): Promise<void>
  leaves(memberId: string, reason?: LeftReason): Promise<void>
  /** No word comes from the server, and none gets there, until the connection is restored. */
  losesConnection(): Promise<void>
  restoresConnection(): Promise<void>
  /** The server says so in place of its beats until `recovers`. */
  degrades(): Promise<void>
  recovers(): Promise<void>
  /** Our next posts are answered with this; `null`: taken again. The message is what the error will say. */
  refusesPosts(message: string | null): void
  close(): Promise<void>
}

/**
 * A room for tests of your own components: no server, no network, and others who do what the test says.
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
  // It has no router to read T from: the types are what the test says.
  const create = createLocationClient as unknown as (options: object) => LocationClient<T>
  const client = create({ url: 'http://fake.invalid', fetch: server.fetch, clock, share: false })
  const room = client.join(id, {
    ...(profile !== undefined && { profile }),
    ...(location !== undefined && { location }),
  })

  const shows = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      let stop = () => {}
      let shown = false
      stop = room.subscribe(() => {
        if (shown || !holds()) return
        shown = true
        // Not within the call that is still to return `stop`.
        queueMicrotask(() => stop())
        resolve()
      })
    })
  const is = (memberId: string, at: number | null) => () => {
    const member = room.other(memberId)
    return at === null ? !member : member?.connections[0]?.at.getTime() === at / 1000
  }
  const put = (memberId: string, member: FakeMember<T>) => {
    const at = server.set(connectionOf(memberId, { ...server.get(memberId), ...member }))
    return shows(is(memberId, at))
  }
  const close = () => client.close()
  await Promise.all([room.flush(), room.ready()])
  return {
    room,
    client,
    posts: server.posts,
    enters: (memberId, member = {}) => put(memberId, member),
    moves: (memberId, location) => put(memberId, { location }),
    updates: put,
    leaves(memberId, reason = 'left') {
      server.remove(memberId, reason)
      return shows(is(memberId, null))
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
      server.tell({ type: 'degraded', reason: 'backend' })
      return shows(() => room.status.state === 'degraded')
    },
    recovers() {
      server.beat()
      return shows(() => room.status.state === 'live')
    },
    refusesPosts: server.refusePosts,
    close,
    [Symbol.asyncDispose]: close,
  }
}

const connectionOf = <T extends RoomTypes>(
  memberId: string,
  { location = null, profile = null, activity = 'active' }: FakeMember<T>,
): Connection<T> => ({ connectionId: memberId, memberId, location, profile, activity, at: 0 })
