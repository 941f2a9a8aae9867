import { LocationError } from 'hereabouts'
import { createLocationHub } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Hub } from '../../../src/server/hub/hub.js'
import { noMetrics } from '../../../src/server/options/metrics.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'
import type { StreamOptions } from '../../../src/server/rooms/stream-registry.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { StreamLimits } from '../../../src/server/rooms/stream-limits.js'
import { countingClock, type CountingClock } from '../../support/counting-clock.js'
import { posting } from '../../support/histories.js'
import { largestDuring } from '../../support/largest-size.js'

/* Every end of a stream, and everything that a stream holds. */

const beatMs = 10_000

function stage(limits: object = {}) {
  const clock = countingClock()
  const ended: string[] = []
  const metrics = { ...noMetrics, streamEnded: (why: string) => void ended.push(why) }
  const hub = createLocationHub({ location: z.string(), clock, metrics, limits })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const open = (own: Partial<StreamOptions> = {}) =>
    hub.subscribe('r', {
      connectionId: null,
      memberId: 'ada',
      address: '2001:db8:0:1::/64',
      lastEventId: null,
      expiresAt: new Date(clock.date().getTime() + 3_600_000),
      recheck: async () => true,
      ...own,
    })
  const post = async (connectionId: string, seq = 1) => {
    const answer = hub.act('r', posting(connectionId, seq, 'A1'))
    await clock.advance(20)
    await answer
  }
  return { clock, hub, ended, open, post }
}
type Stage = ReturnType<typeof stage>

function taken(subscriber: Subscriber) {
  const types = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) types.push(frame.event.type)
  return types
}

/** Each end of a stream, by the reason that metrics show, and a function that brings it about. */
const endings: [
  name: string,
  why: string,
  end: (stage: Stage, stream: Subscriber) => unknown,
  own?: Partial<StreamOptions>,
][] = [
  ['the client disconnects', 'closed', (_, stream) => stream.close()],
  ['the member is revoked', 'revoked', ({ hub }) => hub.revoke('ada')],
  ['the member is revoked in this room', 'revoked', ({ hub }) => hub.revoke('ada', 'r')],
  ['the right is gone at a recheck', 'revoked', ({ clock }) => clock.advance(71_000), { recheck: async () => false }],
  ['the identity expires', 'expired', ({ clock }) => clock.advance(3_600_000), { isOnSocket: true }],
  ['its time is over', 'rotated', ({ clock }) => clock.advance(611_000)],
  ['the member opens too many', 'replaced', ({ open }) => open({ expiresAt: null })],
  [
    'its connection is gone',
    'slow',
    async ({ clock, post }) => (await post('c1'), await clock.advance(60_000)),
    { connectionId: 'c1' },
  ],
  ['the process drains', 'draining', ({ clock, hub }) => Promise.all([hub.drain(), clock.advance(21_000)])],
  ['the hub closes', 'draining', ({ hub }) => hub.close()],
]

describe('a stream that has ended', () => {
  test.each(endings)('a stream leaves no timer, count or subscriber when %s', async (_name, why, end, own) => {
    const staged = stage({ memberRoomStreams: 1, memberStreams: 1, addressStreams: 1 })
    const { clock, hub, ended, open } = staged
    // A second stream of another member keeps the room and its timer open.
    const other = await open({ memberId: 'bob', address: null, expiresAt: null, isOnSocket: true })
    const before = clock.pending
    const stream = await open({ ...(why === 'replaced' && { address: null }), ...own })
    taken(stream)
    taken(other)
    expect(clock.pending).toBe(before + 1)
    const { room } = stream
    let heard = 0
    await end(staged, stream)
    expect(ended[0]).toBe(why)
    expect(stream.isOpen).toBe(false)
    expect(room.subscribers.has(stream)).toBe(false)
    const types = taken(stream)
    if (why !== 'closed') expect(types.at(-1)).toBe('bye')
    stream.onOwed = () => (heard += 1)
    if (why === 'draining') return
    // A stream that has ended is neither woken nor ended again.
    await clock.advance(2 * beatMs)
    expect([heard, ended.filter((each) => each === why)]).toEqual([0, [why]])
    if (why !== 'replaced') {
      // The limits of its member, address and network have room again.
      await expect(open({ expiresAt: null })).resolves.toBeDefined()
    }
    expect(clock.pending).toBeLessThanOrEqual(before)
    other.close()
    expect(hub.streams.size).toBe(1)
  })

  test('a stream cannot be opened after the registry was closed or has begun to drain', async () => {
    for (const stop of [(hub: Hub) => hub.streams.close(), (hub: Hub) => void hub.drain()]) {
      const { hub, open } = stage()
      stop(hub)
      await expect(open()).rejects.toMatchObject({ code: 'unavailable' })
      expect(hub.health()).toBe('draining')
    }
  })

  test('streams of a thousand members and addresses that came and went leave nothing in memory', async () => {
    const { hub, open } = stage({ streamBurst: 1e6 })
    await open({ memberId: 'bob', address: null })
    const room = await hub.use('r', async (live) => live)
    const limits = new StreamLimits(defaultLimits, 1_000)
    const largest = await largestDuring(() => {
      for (let i = 0; i < 1_000; i++) {
        const stream = { memberId: `member ${i}`, room } as unknown as Subscriber
        limits.add(stream, `2001:db8:${i.toString(16)}:1::/64`)
        limits.delete(stream)
        limits.delete(stream)
      }
    })
    expect([largest, limits.size]).toEqual([2, 0])
  })

  test('a stream that no reader begins is closed, and leaves no timer', async () => {
    const { clock, hub, ended, open } = stage()
    await open()
    await clock.advance(31_000)
    expect([hub.streams.size, ended]).toEqual([0, ['closed']])
    expect(clock.pending).toBe(0)
  })
})

describe('the deadlines of a stream', () => {
  /** Opens a stream and takes its frames at every second for this long. */
  const read = async (clock: CountingClock, stream: Subscriber, ms: number) => {
    const types: string[] = []
    for (let passed = 0; passed < ms; passed += 1_000) {
      await clock.advance(1_000)
      types.push(...taken(stream))
    }
    return types
  }

  test('the right to read is asked once every recheckMs, not at each heartbeat', async () => {
    const { clock, open } = stage()
    let asked = 0
    const stream = await open({ recheck: async () => (asked += 1) > 0 })
    const early = await read(clock, stream, 59_000)
    expect(asked).toBe(0)
    const types = [...early, ...(await read(clock, stream, 241_000))]
    expect(types.filter((type) => type === 'beat')).toHaveLength(30)
    expect(asked).toBeGreaterThanOrEqual(4)
    expect(asked).toBeLessThanOrEqual(5)
  })

  test.each([
    ['forbidden', 0],
    ['unauthorized', 0],
    ['unavailable', 1],
    ['rate-limited', 1],
  ])('a recheck that fails with `%s` leaves %i open streams', async (code, open) => {
    const staged = stage()
    const recheck = () => Promise.reject(new LocationError(code as LocationError['code'], 'no'))
    const stream = await staged.open({ recheck, expiresAt: null })
    await read(staged.clock, stream, 80_000)
    expect(staged.hub.streams.size).toBe(open)
  })

  test('an identity that expires while the wall clock is stepped back ends its stream at the stepped time', async () => {
    const { clock, hub, open } = stage()
    await open({ memberId: 'bob', expiresAt: null, isOnSocket: true }).then(taken)
    const stream = await open({ expiresAt: new Date(clock.date().getTime() + 5_000) })
    taken(stream)
    clock.step(-4_000)
    await clock.advance(8_999)
    expect(hub.streams.size).toBe(2)
    await clock.advance(1)
    expect([hub.streams.size, stream.endedBy]).toEqual([1, 'expired'])
  })

  test('an identity that expires by a step of the wall clock ends its stream at the next heartbeat', async () => {
    const { clock, open } = stage()
    const stream = await open()
    taken(stream)
    clock.step(3_600_000)
    await clock.advance(beatMs)
    expect(stream.endedBy).toBe('expired')
  })

  test('a stream on a WebSocket neither rotates nor ends as slow, and above memberRoomStreams the new one is refused', async () => {
    const { clock, hub, open, post } = stage({ memberRoomStreams: 1 })
    const stream = await open({ isOnSocket: true, connectionId: 'c1' })
    await post('c1')
    await expect(open({ isOnSocket: true })).rejects.toMatchObject({ code: 'room-full' })
    await read(clock, stream, 620_000)
    expect([stream.isOpen, hub.streams.size]).toEqual([true, 1])
  })

  test('all streams are sent a heartbeat at once when the backend becomes unreachable', async () => {
    const { hub, open } = stage()
    const streams = [await open(), await open()]
    streams.forEach(taken)
    hub.streams.beatAll()
    expect(streams.map(taken)).toEqual([['beat'], ['beat']])
  })

  test('a revocation in one room leaves the streams of the member in other rooms open', async () => {
    const { hub, open } = stage()
    const [here] = [await open()]
    const there = await hub.subscribe('other', {
      connectionId: null,
      memberId: 'ada',
      lastEventId: null,
      expiresAt: null,
      recheck: async () => true,
    })
    await hub.revoke('ada', 'r')
    expect([here.isOpen, there.isOpen]).toEqual([false, true])
  })
})
