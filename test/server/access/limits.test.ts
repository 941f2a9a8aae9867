import { initTRPC, type TRPCError } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, type Action, type Limits } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import { heapInUse } from '../../support/garbage.js'

type Ctx = { user?: string; ip?: string }

const A1 = { sheet: 'Q3', row: 0, col: 0 }
const key = (i: number | string) => String(i).replaceAll(/\W/g, '-').padStart(22, 'k')

/** The procedures on a manual clock. A call's context gives its member and its address. */
function stage(limits: Partial<Limits> = {}, { anonymous = false } = {}) {
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock, limits })
  if (!(hub instanceof Hub)) throw new TypeError('a hub is a Hub')
  const t = initTRPC.context<Ctx>().create()
  const access = anonymous
    ? { anonymous: true as const }
    : { identify: ({ ctx }: { ctx: Ctx }) => ({ memberId: ctx.user ?? 'ada' }), authorize: () => true }
  const clientIp = ({ ctx }: { ctx: Ctx }) => ctx.ip
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, clientIp, ...access }))
  const as = t.createCallerFactory(router)
  /** Resolves to `ok` or the error code of each of several concurrent calls. */
  const settled = async (calls: Promise<unknown>[]) => {
    const all = Promise.allSettled(calls)
    await clock.advance(0)
    await clock.advance(20)
    return (await all).map((each) => (each.status === 'fulfilled' ? 'ok' : (each.reason as TRPCError).code))
  }
  const times = (n: number, call: (i: number) => Promise<unknown>) =>
    settled(Array.from({ length: n }, (_, i) => call(i)))
  return { clock, hub, as, times }
}
/** Takes the first event of a stream. */
const begun = (stream: AsyncIterable<unknown>) => stream[Symbol.asyncIterator]().next()
const oks = (n: number) => Array<string>(n).fill('ok')
const refused = 'TOO_MANY_REQUESTS'

type Caller = ReturnType<ReturnType<typeof stage>['as']>
/** Each charged action: its name, its limits of a burst of 3 and one token a second, the time for one token, and the i-th call. */
const actions: [string, Partial<Limits>, number, (caller: Caller, i: number | string) => Promise<unknown>][] = [
  [
    'posts',
    { postsPerSecond: 1, postBurst: 3 },
    1_000,
    (caller, i) => caller.postLocation({ room: 'r', location: A1, connectionKey: key(i) }),
  ],
  ['queries', { readsPerSecond: 1, readBurst: 3 }, 1_000, (caller) => caller.getLocations({ room: 'r' })],
  ['counts', { readsPerSecond: 1, readBurst: 3 }, 1_000, (caller) => caller.countMembers({ rooms: ['r'] })],
  [
    'leaves',
    { leavesPerMinute: 60, leaveBurst: 3 },
    1_000,
    (caller, i) => caller.leaveRoom({ room: 'r', connectionKey: key(i) }),
  ],
  [
    'new connections',
    { connectionsPerMinute: 60, connectionBurst: 3 },
    1_000,
    (caller, i) => caller.postLocation({ room: 'r', location: A1, connectionKey: key(i) }),
  ],
  ['streams', { streamsPerMinute: 60, streamBurst: 3 }, 1_000, (caller) => caller.onLocation({ room: 'r' })],
]

describe.each(actions)('the rate limit: %s', (_name, limits, perTokenMs, act) => {
  test('the calls of a member are limited to the burst at once, and then to the refill rate', async () => {
    const { clock, as, times } = stage(limits)
    const ada = as({ user: 'ada' })
    expect(await times(2, (i) => act(ada, i))).toEqual(oks(2))
    expect(await times(3, (i) => act(ada, 2 + i))).toEqual(['ok', refused, refused])
    expect(await times(1, () => act(as({ user: 'bob' }), 'bob'))).toEqual(['ok'])
    await clock.advance(perTokenMs - 100)
    expect(await times(1, (i) => act(ada, 5 + i))).toEqual([refused])
    await clock.advance(60)
    expect(await times(2, (i) => act(ada, 6 + i))).toEqual(['ok', refused])
  })

  test('the calls from an address are limited to a multiple of the member limit, for all its members together', async () => {
    const { as, times } = stage({ ...limits, addressTimes: 2 })
    const from = (ip: string) => (i: number) => act(as({ user: `user ${ip} ${i}`, ip }), `${ip} ${i}`)
    expect(await times(7, from('203.0.113.7'))).toEqual([...oks(6), refused])
    expect(await times(1, from('::ffff:203.0.113.7'))).toEqual([refused])
    expect(await times(1, from('203.0.113.8'))).toEqual(['ok'])
  })

  test('the calls from loopback and private addresses are limited per member only', async () => {
    const { as, times } = stage({ ...limits, addressTimes: 1 })
    for (const ip of ['127.0.0.1', '::1', '10.0.0.1', undefined])
      expect(await times(6, (i) => act(as({ user: `${ip} ${i}`, ...(ip && { ip }) }), `${ip} ${i}`))).toEqual(oks(6))
  })

  test('the calls from one IPv6 /64 network share one limit', async () => {
    const { as, times } = stage({ ...limits, addressTimes: 1 })
    const from = (net: string) => (i: number) =>
      act(as({ user: `user ${net} ${i}`, ip: `2001:db8:0:${net}::${i + 1}` }), `${net} ${i}`)
    expect(await times(4, from('1'))).toEqual([...oks(3), refused])
    expect(await times(1, from('2'))).toEqual(['ok'])
  })

  test('the calls from one IPv6 /48 network are limited to sixteen times the limit of an address', async () => {
    const { as, times } = stage({ ...limits, addressTimes: 1 })
    const from = (site: string) => (i: number) =>
      act(as({ user: `user ${site} ${i}`, ip: `2001:db8:${site}:${(i + 1).toString(16)}::1` }), `${site} ${i}`)
    expect(await times(49, from('a'))).toEqual([...Array<string>(48).fill('ok'), refused])
    expect(await times(1, from('b'))).toEqual(['ok'])
  })

  test('the calls of anonymous callers are limited by address', async () => {
    const { as, times } = stage({ ...limits, addressTimes: 1 }, { anonymous: true })
    const from = (ip: string) => (i: number) => act(as({ ip }), `${ip} ${i}`)
    expect(await times(4, from('203.0.113.7'))).toEqual([...oks(3), refused])
    expect(await times(1, from('203.0.113.8'))).toEqual(['ok'])
  })
})

describe('a caller who is over a rate limit', () => {
  test('a caller who is over a rate limit is told how long to wait, in the error message and as retryAfterMs', async () => {
    const { as, times } = stage({ readsPerSecond: 2, readBurst: 1 })
    await times(1, () => as({}).getLocations({ room: 'r' }))
    // 20 ms have passed since the first query, in which 0.04 tokens were added.
    await expect(as({}).getLocations({ room: 'r' })).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: 'rate-limited: Too many queries: try again in 480 ms.',
      cause: { code: 'rate-limited', retryAfterMs: 480 },
    })
  })

  test('a call from an address that is over its rate limit is refused before identify() is called', async () => {
    const { as, times } = stage({ readsPerSecond: 1, readBurst: 1, addressTimes: 1 })
    let asked = 0
    const from = {
      ip: '203.0.113.7',
      get user() {
        return `user ${asked++}`
      },
    }
    expect(await times(5, () => as(from).getLocations({ room: 'r' }))).toEqual([
      'ok',
      refused,
      refused,
      refused,
      refused,
    ])
    expect(asked).toBe(1)
  })

  test('calls with invalid input count toward the rate limit too', async () => {
    const { as, times } = stage({ postsPerSecond: 1, postBurst: 2, addressTimes: 1 })
    const nonsense = () => as({ ip: '203.0.113.7' }).postLocation({ room: '', location: A1 })
    expect(await times(3, nonsense)).toEqual(['BAD_REQUEST', 'BAD_REQUEST', refused])
  })

  test('a caller who is over a rate limit keeps the streams that are already open', async () => {
    const { as, times, hub } = stage({ streamsPerMinute: 60, streamBurst: 2 })
    expect(await times(5, () => as({}).onLocation({ room: 'r' }))).toEqual(['ok', 'ok', refused, refused, refused])
    expect(hub.streams.size).toBe(2)
  })
})

test('a countMembers call for 100 rooms uses more of the query limit than one for nine rooms', async () => {
  const { as, times } = stage({ readsPerSecond: 1, readBurst: 12 })
  const rooms = Array.from({ length: 100 }, (_, i) => `room ${i}`)
  expect(await times(2, () => as({}).countMembers({ rooms }))).toEqual(['ok', refused])
  expect(await times(2, () => as({ user: 'bob' }).countMembers({ rooms: rooms.slice(0, 9) }))).toEqual(oks(2))
})

test('a countMembers call that names a room 99 times authorizes the room once and returns one count for it', async () => {
  const asked: string[] = []
  const hub = createLocationHub({ location: cellLocation, clock: manualClock() })
  const t = initTRPC.create()
  const access = {
    identify: () => ({ memberId: 'ada' }),
    async authorize({ room }: { room: string }) {
      asked.push(room)
      return true
    },
  }
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, ...access }))
  const rooms = [...Array<string>(99).fill('a'), 'b']
  const counts = await t.createCallerFactory(router)({}).countMembers({ rooms })
  expect(asked).toEqual(['a', 'b'])
  expect(counts).toEqual([
    { room: 'a', members: 0 },
    { room: 'b', members: 0 },
  ])
})

describe('the tabs of one member', () => {
  /** A tab posts with its own key and opens its own stream. */
  const tab = (caller: Caller, i: number) =>
    Promise.all([
      caller.postLocation({ room: 'r', location: A1, connectionKey: key(i) }),
      caller.onLocation({ room: 'r', connectionKey: key(i) }),
    ])

  test.each([12, 30])(
    'with the default limits, %i tabs of one member that open at once are all accepted and keep their streams',
    async (tabs) => {
      const { as, times, hub, clock } = stage()
      expect(await times(tabs, (i) => tab(as({}), i))).toEqual(oks(tabs))
      await clock.advance(1_000)
      expect(hub.streams.size).toBe(tabs)
    },
  )

  test('the 65th tab of one member in a room is refused with an error message that says what to do', async () => {
    const { as, times } = stage({ connectionBurst: 100, postBurst: 100 })
    const post = (i: number) => as({}).postLocation({ room: 'r', location: A1, connectionKey: key(i) })
    expect(await times(64, post)).toEqual(oks(64))
    expect(await times(1, post)).toEqual(['ok'])
    let message = ''
    await times(1, () => post(64).catch((thrown: Error) => void (message = thrown.message)))
    expect(message).toBe(
      'room-full: You have this room open in too many tabs or programs: close one, and this one connects.',
    )
  })
})

describe('streams', () => {
  const many = { streamBurst: 10_000 }

  test('streams of one member are refused above the limit until one closes', async () => {
    const { as, times, hub } = stage({ ...many, memberStreams: 4, memberRoomStreams: 2 })
    for (const room of ['room 0', 'room 1', 'room 2', 'room 0'])
      expect(await times(1, () => as({}).onLocation({ room }))).toEqual(['ok'])
    expect(await times(1, () => as({}).onLocation({ room: 'room 1' }))).toEqual([refused])
    expect(await times(1, () => as({ user: 'bob' }).onLocation({ room: 'room 0' }))).toEqual(['ok'])
    hub.streams.revoke('ada', 'room 2')
    expect(await times(1, () => as({}).onLocation({ room: 'room 2' }))).toEqual(['ok'])
  })

  test('streams of one member in one room: above the limit, the oldest ends with `replaced`', async () => {
    const { as, clock, hub } = stage({ ...many, memberStreams: 2, memberRoomStreams: 2 })
    const oldest = (await as({}).onLocation({ room: 'r' }))[Symbol.asyncIterator]()
    for (let i = 0; i < 2; i++) await as({}).onLocation({ room: 'r' })
    await clock.advance(1)
    expect(hub.streams.size).toBe(2)
    // A tRPC caller receives each event as `tracked()` made it: [id, event].
    const next = async () => ((await oldest.next()).value as unknown as [string, object])[1]
    expect(await next()).toMatchObject({ type: 'hello' })
    expect(await next()).toMatchObject({ type: 'bye', reason: 'replaced' })
    await expect(oldest.next()).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('streams of one address are limited for all its members together', async () => {
    const { as, times } = stage({ ...many, addressStreams: 3 })
    const from = (ip: string) => (i: number) => as({ user: `user ${i}`, ip }).onLocation({ room: 'r' })
    expect(await times(2, from('203.0.113.7'))).toEqual(oks(2))
    expect(await times(2, from('203.0.113.7'))).toEqual(['ok', refused])
    expect(await times(4, from('127.0.0.1'))).toEqual(oks(4))
  })

  test('streams of one IPv6 /48 are limited to sixteen times the limit of an address, and count only while they are open', async () => {
    const { as, times, hub } = stage({ ...many, addressStreams: 1 })
    const from = (site: string) => (i: number) =>
      as({ user: `user ${site} ${i}`, ip: `2001:db8:${site}:${(i + 1).toString(16)}::1` }).onLocation({ room: 'r' })
    expect(await times(17, from('a'))).toEqual([...oks(16), refused])
    expect(await times(1, from('b'))).toEqual(['ok'])
    hub.streams.revoke('user a 0')
    expect(await times(2, (i) => from('a')(20 + i))).toEqual(['ok', refused])
  })

  test('streams above the limit of the process are refused with SERVICE_UNAVAILABLE', async () => {
    const { as, times } = stage({ ...many, streams: 2 })
    const full = 'SERVICE_UNAVAILABLE'
    expect(await times(4, (i) => as({ user: `user ${i}` }).onLocation({ room: 'r' }))).toEqual(['ok', 'ok', full, full])
  })

  test('a stream that has ended no longer counts toward the limits, whether the client or the server ended it', async () => {
    const { as, times, hub, clock } = stage({ ...many, memberStreams: 3, memberRoomStreams: 3, addressStreams: 3 })
    const ada = as({ ip: '203.0.113.7' })
    for (let round = 0; round < 5; round++) {
      const streams = [await ada.onLocation({ room: 'r' }), await ada.onLocation({ room: 'r' })]
      await streams[0]![Symbol.asyncIterator]().return!()
      hub.streams.revoke('ada')
      await clock.advance(1)
    }
    expect(hub.streams.size).toBe(0)
    expect(await times(3, () => ada.onLocation({ room: 'r' }))).toEqual(oks(3))
  })
})

describe('rooms', () => {
  // The documented number of rooms is 100,000, which `npm run soak:server` tests.
  const named = process.env['SOAK'] === undefined ? 10_000 : 100_000
  const many = { connectionBurst: 10_000, streamBurst: 10_000, postBurst: 10_000, leaveBurst: 10_000 }
  const post = (caller: Caller, room: string) => caller.postLocation({ room, location: A1, connectionKey: key(0) })

  test('a member may be in at most 32 rooms with connections or streams, and may enter another after leaving one', async () => {
    const { as, times, clock } = stage(many)
    const ada = as({})
    const look = async (room: string) => void (await begun(await ada.onLocation({ room })))
    expect(await times(32, (i) => (i % 2 ? post(ada, `room ${i}`) : look(`room ${i}`)))).toEqual(oks(32))
    expect(await times(1, () => post(ada, 'one more'))).toEqual([refused])
    expect(await times(1, () => ada.onLocation({ room: 'one more' }))).toEqual([refused])
    expect(await times(2, (i) => post(ada, `room ${i}`))).toEqual(oks(2))
    expect(await times(1, () => ada.leaveRoom({ room: 'room 3', connectionKey: key(0) }))).toEqual(['ok'])
    expect(await times(2, (i) => post(ada, `one more ${i}`))).toEqual(['ok', refused])
    // All leases expire; the streams stay open.
    await clock.advance(31_000)
    expect(await times(20, (i) => post(ada, `later ${i}`))).toEqual([...oks(16), ...Array<string>(4).fill(refused)])
  })

  test('a member who names 10,000 rooms holds 32 of them and at most 16 MB of heap', { timeout: 120_000 }, async () => {
    const { as, hub, clock, times } = stage({
      ...many,
      postsPerSecond: 1e6,
      postBurst: 1e6,
      readsPerSecond: 1e6,
      readBurst: 1e6,
      connectionBurst: 1e6,
    })
    const ada = as({ ip: '203.0.113.7' })
    const before = await heapInUse()
    for (let i = 0; i < named; i += 500) {
      await times(250, (n) => post(ada, `room ${i + n}`))
      await times(250, (n) => ada.getLocations({ room: `room ${i + 250 + n}` }))
    }
    await clock.advance(1_000)
    expect(hub.readings().rooms).toBe(32)
    expect(hub.membershipLimits.size).toBeLessThanOrEqual(1_024)
    expect(hub.rateLimits.size).toBeLessThan(20)
    expect((await heapInUse()) - before).toBeLessThan(16e6)
  })

  test('an address of anonymous callers may be in a multiple of the rooms of a member, with a limit of connections in each', async () => {
    const { as, times } = stage(
      { ...many, memberRooms: 2, addressTimes: 2, addressConnections: 3 },
      { anonymous: true },
    )
    const from = (ip: string) => (i: number) =>
      as({ ip }).postLocation({ room: 'r', location: A1, connectionKey: key(`${ip} ${i}`) })
    expect(await times(4, from('203.0.113.7'))).toEqual([...oks(3), refused])
    expect(await times(1, from('203.0.113.8'))).toEqual(['ok'])
    expect(await times(4, from('127.0.0.1'))).toEqual(oks(4))
    expect(await times(5, (i) => post(as({ ip: '203.0.113.9' }), `room ${i}`))).toEqual([...oks(4), refused])
  })

  test('an address of anonymous callers may watch a multiple of the rooms of a member, and another when a stream has ended', async () => {
    const { as, times, clock } = stage({ ...many, memberRooms: 2, addressTimes: 2 }, { anonymous: true })
    const streams: AsyncIterator<unknown>[] = []
    const watch = (ip: string) => async (i: number) =>
      void streams.push((await as({ ip }).onLocation({ room: `room ${i}` }))[Symbol.asyncIterator]())
    expect(await times(5, watch('203.0.113.7'))).toEqual([...oks(4), refused])
    expect(await times(1, (i) => watch('203.0.113.8')(i + 9))).toEqual(['ok'])
    expect(await times(5, watch('127.0.0.1'))).toEqual(oks(5))
    await streams[0]!.return!()
    await clock.advance(1)
    expect(await times(1, (i) => watch('203.0.113.7')(i + 7))).toEqual(['ok'])
  })

  test('an IPv6 /48 network of anonymous callers may have 16 times the rooms of an address, and 16 times its connections in a room', async () => {
    const { as, times } = stage(
      { ...many, memberRooms: 1, addressTimes: 1, addressConnections: 1 },
      { anonymous: true },
    )
    const ip = (site: string, i: number) => `2001:db8:${site}:${(i + 1).toString(16)}::1`
    const inOneRoom = (site: string) => (i: number) =>
      as({ ip: ip(site, i) }).postLocation({ room: 'r', location: A1, connectionKey: key(`${site} ${i}`) })
    expect(await times(17, inOneRoom('a'))).toEqual([...oks(16), refused])
    expect(await times(1, inOneRoom('b'))).toEqual(['ok'])
    const inOwnRoom = (i: number) => post(as({ ip: ip('c', i) }), `room ${i}`)
    expect(await times(17, inOwnRoom)).toEqual([...oks(16), refused])
  })
})

test('a query is charged by the size of its answer, to the member and to the address', async () => {
  const { hub, as, times } = stage({ readsPerSecond: 1, readBurst: 4, addressTimes: 2, memberConnections: 1_000 })
  for (let i = 0; i < 300; i++) void hub.act('r', posted(i))
  await times(0, async () => {})
  const size = JSON.stringify(await as({ user: 'eve' }).getLocations({ room: 'r' })).length
  expect(Math.floor(size / 16_384)).toBe(2)
  // Each answer costs three queries. A member may make four at once, and an address eight.
  expect(await times(2, () => as({ user: 'bob' }).getLocations({ room: 'r' }))).toEqual(['ok', refused])
  const ip = '8.8.8.8'
  const names = ['one', 'two', 'three']
  expect(await times(3, (i) => as({ user: names[i]!, ip }).getLocations({ room: 'r' }))).toEqual(['ok', 'ok', refused])
})

const posted = (i: number): Action => ({
  type: 'post',
  connectionId: `c${i}`,
  memberId: 'ada',
  owned: false,
  seq: 1,
  location: { json: '{"col":1,"row":2,"sheet":"Q3"}', value: A1 },
  profile: undefined,
  activity: undefined,
  leaseMs: 30_000,
})

test('a room that one countMembers call names 100 times is authorized, counted and charged once', async () => {
  const hub = createLocationHub({
    location: cellLocation,
    clock: manualClock(),
    limits: { readBurst: 2, readsPerSecond: 1 },
  })
  const t = initTRPC.context<Ctx>().create()
  let asked = 0
  const authorize = () => (asked += 1) > 0
  const identify = () => ({ memberId: 'ada' })
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, identify, authorize }))
  const caller = t.createCallerFactory(router)({})
  const rooms = Array<string>(100).fill('r')
  expect(await caller.countMembers({ rooms })).toEqual([{ room: 'r', members: 0 }])
  expect(asked).toBe(1)
  expect(await caller.countMembers({ rooms })).toHaveLength(1)
})

test('leaveRoom by a caller without a right to the room opens no room, but removes a connection that is present', async () => {
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock })
  if (!(hub instanceof Hub)) throw new TypeError('a hub is a Hub')
  const t = initTRPC.context<Ctx>().create()
  let isAllowed = true
  const authorize = ({ room }: { room: string }) => isAllowed && room === 'mine'
  const identify = () => ({ memberId: 'ada' })
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, identify, authorize }))
  const caller = t.createCallerFactory(router)({})
  /** Lets the room's next tick pass while a call waits for it. */
  const done = async <T>(call: Promise<T>): Promise<T> => {
    await clock.advance(100)
    return call
  }
  expect(await caller.leaveRoom({ room: 'secret', connectionKey: key(1) })).toEqual({ outcome: 'left' })
  expect(hub.readings().rooms).toBe(0)
  await done(caller.leaveRoom({ room: 'mine', connectionKey: key(1) }))
  expect(hub.readings().rooms).toBe(1)
  await done(caller.postLocation({ room: 'mine', connectionKey: key(2), location: A1 }))
  await done(caller.leaveRoom({ room: 'mine', connectionKey: key(2) }))
  isAllowed = false
  await clock.advance(61_000)
  await done(hub.room('mine').post({ memberId: 'ada', location: A1 }))
  expect(await hub.room('mine').count()).toBe(1)
  expect(await done(caller.leaveRoom({ room: 'mine' }))).toEqual({ outcome: 'left' })
  expect(await hub.room('mine').count()).toBe(0)
})
