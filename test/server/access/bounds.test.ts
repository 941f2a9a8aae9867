import { expect, test } from 'vitest'
import { addressKey } from '../../../src/server/access/client-address.js'
import { Gate } from '../../../src/server/access/gate.js'
import { MembershipLimits } from '../../../src/server/access/membership-limits.js'
import { RateLimits } from '../../../src/server/access/rate-limits.js'
import { TokenBuckets } from '../../../src/server/access/token-buckets.js'
import { CommitOrder } from '../../../src/server/backends/redis/commit-order.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { silentLogger } from '../../../src/server/options/logger.js'
import { newTraffic } from '../../../src/server/options/metrics.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { ringSize } from '../../../src/server/rooms/broadcast-ring.js'
import { Frame, Frames } from '../../../src/server/rooms/frames.js'
import { RoomBroadcasts } from '../../../src/server/rooms/room-broadcasts.js'
import { Timeline } from '../../../src/server/rules/timeline.js'
import { frameMessage, prefixOf } from '../../../src/server/websocket/message-bytes.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { leaving, Play } from '../../support/histories.js'
import { largestDuring } from '../../support/largest-size.js'

/* Each structure in memory that callers can make grow has an upper bound, and is filled far beyond that bound here. */

const times = (count: number, run: (i: number) => unknown) => {
  for (let i = 0; i < count; i++) run(i)
}
const address = (i: number) => `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`

const plain = { serialize: (value: unknown) => value }
const broadcastText = (id: string) =>
  JSON.stringify({
    id,
    epoch: 'e',
    to: null,
    item: { name: 'note', payload: id, connectionId: null, memberId: null, at: 1, after: 0 },
  })
/** The broadcasts of a room that never reaches the version of any broadcast, or has reached them all. */
const broadcastsOf = (isShown: boolean) =>
  new RoomBroadcasts({
    clock: manualClock(),
    timing: defaultTiming,
    traffic: newTraffic(),
    eventBytes: 65_536,
    isShown: () => isShown,
    nextTickAt: () => 0,
    wakeAll: (done) => done(0),
  })

/** Each structure, a function that fills it, and its documented bound. While it evicts, it may hold one entry more. */
const table: [name: string, grow: () => unknown, bound: number][] = [
  ['cached address keys', () => times(9_000, (i) => addressKey(address(i))), 4_096],
  [
    'token buckets',
    () => {
      const buckets = new TokenBuckets({ perSecond: 0.001, burst: 1 })
      times(50_100, (i) => buckets.take(`member ${i}`, 0))
    },
    50_000,
  ],
  [
    'cached answers of authorize()',
    async () => {
      const options = { clock: manualClock(), logger: silentLogger, hookMs: 5_000, recheckMs: 60_000 }
      const access = { identify: () => ({ memberId: 'ada' }), authorize: () => true }
      const gate = new Gate(access, { ...options, parseProfile: async () => ({ json: 'null', value: null }) })
      const ada = { memberId: 'ada', scope: null, profile: undefined, expiresAt: null }
      for (let i = 0; i < 10_500; i++) await gate.admit({}, ada, `room ${i}`, 'read')
    },
    10_000,
  ],
  [
    'tombstones of connections that no viewer saw',
    () => {
      const play = new Play()
      times(3_000, (i) => play.after(0, leaving(`c${i}`, { seq: 1 })))
    },
    1_000,
  ],
  [
    'frames that lead from old versions to the present one',
    () => {
      const timeline = new Timeline({ epoch: 'e', version: 20_000, floor: 0, connections: [], left: [] })
      const frames = new Frames(timeline)
      times(10_000, (i) => frames.since(i))
    },
    32,
  ],
  [
    'ids of broadcasts by which a repeated one is recognized',
    () => {
      const broadcasts = broadcastsOf(true)
      times(2_000, (i) => broadcasts.receive(broadcastText(`b${i}`)))
    },
    512,
  ],
  [
    'messages of one frame for WebSockets, by the beginning of the message',
    () => {
      const frame = new Frame('e.1', { type: 'beat', count: 1, digest: 'x' }, 1)
      times(10_000, (i) => frameMessage(frame, plain, prefixOf(i, undefined)))
    },
    16,
  ],
  [
    'commits that wait for a missing one',
    () => {
      const order = new CommitOrder({ epoch: 'e', version: 0 })
      times(10_000, (i) => order.take({ epoch: 'e', prev: i + 1, version: i + 2, open: () => undefined as never }))
    },
    1_000,
  ],
]

test.each(table)('the number of %s in memory stays within its documented bound', async (_, grow, bound) => {
  const largest = await largestDuring(grow)
  expect(largest).toBeGreaterThanOrEqual(bound)
  expect(largest).toBeLessThanOrEqual(bound + 1)
})

test('the number of broadcasts that wait for a version of the room is bounded by the size of the ring', () => {
  const broadcasts = broadcastsOf(false)
  times(2_000, (i) => broadcasts.receive(broadcastText(`b${i}`)))
  expect(2_000 - broadcasts.ring.end).toBe(ringSize)
})

test('the membership limits purge ended memberships: of 20,000, at most 1,026 are in memory at once', () => {
  const memberships = new MembershipLimits(defaultLimits)
  const ended = { isConnection: true, isHeld: () => false }
  let most = 0
  for (let i = 0; i < 10_000; i++) {
    memberships.take({ memberId: `member ${i}`, address: null }, `room ${i}`, ended)
    memberships.take({ memberId: null, address: `2001:db8:${i.toString(16)}:1::/64` }, `room ${i}`, ended)
    most = Math.max(most, memberships.size)
  }
  expect(most).toBeGreaterThan(1_000)
  expect(most).toBeLessThanOrEqual(1_026)
})

test('the membership limits keep 3,000 memberships while these last, and purge them after they have ended', () => {
  const memberships = new MembershipLimits(defaultLimits)
  let isHeld = true
  const take = (i: number) =>
    memberships.take({ memberId: `member ${i}`, address: null }, 'r', { isConnection: true, isHeld: () => isHeld })
  times(3_000, take)
  expect(memberships.size).toBe(3_000)
  isHeld = false
  times(5_000, take)
  expect(memberships.size).toBeLessThanOrEqual(4_097)
})

test('the rate-limit buckets of callers and rooms without a call for an hour are removed at the next call', () => {
  const clock = manualClock()
  const rates = new RateLimits(defaultLimits, clock, silentLogger)
  const actions = ['post', 'read', 'leave', 'connect', 'stream', 'broadcast'] as const
  times(500, (i) => {
    for (const action of actions) rates.charge(action, { memberId: `member ${i}`, address: `2001:db8:0:${i}::/64` })
    rates.chargeRoom(`room ${i}`)
  })
  expect(rates.size).toBeGreaterThan(500 * actions.length * 2)
  clock.stall(3_600_000)
  for (const action of actions) rates.charge(action, { memberId: 'ada', address: '2001:db8:0:1::/64' })
  rates.chargeRoom('r')
  expect(rates.size).toBe(3 * actions.length + 1)
})
