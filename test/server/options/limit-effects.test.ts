import type { Limits } from 'hereabouts/server'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { eventsOf, key, optionStage, statusOfPost, type OptionStage } from '../../support/servers/option-stage.js'
import { until } from '../../support/until.js'

/*
 * Each limit takes effect: a call that the default allows is refused when the limit is lower. A limit without a row
 * here does not compile, so that no limit can be accepted and then do nothing.
 */

type Probe = (stage: OptionStage, limits: Partial<Limits>) => Promise<unknown>
/** A low value, other limits, what the probe sees with the low value, and what it sees without it. */
type Effect = [low: number, others: Partial<Limits>, limited: unknown, usual: unknown, probe: Probe]

const tooLarge = 'PAYLOAD_TOO_LARGE'
const tooMany = 'TOO_MANY_REQUESTS'
const outcomeOf = async (answer: Promise<{ code?: string; outcome?: string }>) => {
  const { code, outcome = 'ok' } = await answer
  return code ?? outcome
}

/** Makes a call twice, `waitMs` apart, and returns the second outcome. */
const twice =
  (call: (stage: OptionStage, i: number) => Promise<{ code?: string }>, waitMs = 0): Probe =>
  async (stage) => {
    await call(stage, 1)
    await stage.clock.advance(waitMs)
    return (await call(stage, 2)).code ?? 'ok'
  }
const read = ({ as, settled }: OptionStage) => settled(as()['getLocations']!({ room: 'r' }))
const leave = ({ as, settled }: OptionStage) => settled(as()['leaveRoom']!({ room: 'r', connectionKey: key(1) }))
const post = ({ post: send }: OptionStage) => send({ location: Math.random() })
const enter = ({ post: send }: OptionStage, i: number) => send({ connectionKey: key(i) })
const watch = ({ as, settled }: OptionStage, i: number) => settled(as()['onLocation']!({ room: `r${i}` }))
const broadcast = ({ as, settled }: OptionStage) =>
  settled(as()['broadcastToRoom']!({ room: 'r', connectionKey: key(1), name: 'note', payload: 'hello' }))
const broadcastAgain: Probe = async (stage) => {
  await stage.post()
  return twice(broadcast)(stage, {})
}
const broadcastLater: Probe = async (stage) => {
  await stage.post()
  return twice(broadcast, 1_000)(stage, {})
}
const served =
  (probe: (url: string) => Promise<unknown>, options: object = {}): Probe =>
  async (_stage, limits) => {
    await using server = await serveLocations({ location: z.json() as never, limits, ...options })
    return await probe(server.url)
  }

const effects: Record<keyof Limits, Effect> = {
  bodyBytes: [200, {}, 413, 200, served((url) => statusOfPost(url, 'x'.repeat(300)))],
  locationBytes: [10, {}, tooLarge, 'applied', ({ post }) => outcomeOf(post({ location: 'a long place' }))],
  profileBytes: [10, {}, tooLarge, 'applied', ({ post }) => outcomeOf(post({ profile: 'a long profile' }))],
  presenceBytes: [10, {}, tooLarge, 'applied', ({ post }) => outcomeOf(post({ presence: { a: 'a long value' } }))],
  presenceKeys: [1, {}, tooLarge, 'applied', ({ post }) => outcomeOf(post({ presence: { a: 1, b: 2 } }))],
  broadcastBytes: [3, {}, tooLarge, 'sent', async (stage) => (await stage.post(), outcomeOf(broadcast(stage)))],
  broadcastEventBytes: [
    300,
    {},
    2,
    1,
    async (stage) => {
      await stage.post()
      const viewer = await stage.subscribe()
      eventsOf(viewer)
      await broadcast(stage)
      await broadcast(stage)
      return eventsOf(viewer).filter(({ type }) => type === 'broadcast').length
    },
  ],
  depth: [1, {}, 'BAD_REQUEST', 'applied', ({ post }) => outcomeOf(post({ location: { a: { b: { c: {} } } } }))],
  batch: [1, {}, 400, 200, served((url) => statusOfPost(url, null, 2))],
  postsPerSecond: [0.001, { postBurst: 1 }, tooMany, 'ok', twice(post, 1_000)],
  postBurst: [1, {}, tooMany, 'ok', twice(post)],
  readsPerSecond: [0.001, { readBurst: 1 }, tooMany, 'ok', twice(read, 1_000)],
  readBurst: [1, {}, tooMany, 'ok', twice(read)],
  leavesPerMinute: [0.001, { leaveBurst: 1 }, tooMany, 'ok', twice(leave, 7_000)],
  leaveBurst: [1, {}, tooMany, 'ok', twice(leave)],
  connectionsPerMinute: [0.001, { connectionBurst: 1 }, tooMany, 'ok', twice(enter, 7_000)],
  connectionBurst: [1, {}, tooMany, 'ok', twice(enter)],
  streamsPerMinute: [0.001, { streamBurst: 1 }, tooMany, 'ok', twice(watch, 7_000)],
  streamBurst: [1, {}, tooMany, 'ok', twice(watch)],
  broadcastsPerSecond: [0.001, { broadcastBurst: 1 }, tooMany, 'ok', broadcastLater],
  broadcastBurst: [1, {}, tooMany, 'ok', broadcastAgain],
  roomBroadcastsPerSecond: [1, {}, tooMany, 'ok', broadcastAgain],
  addressTimes: [
    1,
    { readBurst: 1 },
    tooMany,
    'ok',
    twice(({ as, settled }, i) => settled(as({ user: `user ${i}`, ip: '8.8.8.8' })['getLocations']!({ room: 'r' }))),
  ],
  roomConnections: [1, {}, tooMany, 'ok', twice(enter)],
  memberConnections: [1, {}, tooMany, 'ok', twice(enter)],
  addressConnections: [
    1,
    {},
    tooMany,
    'ok',
    twice(({ post, anonymously }, i) => post({ connectionKey: key(i) }, anonymously({ ip: '8.8.8.8' }))),
  ],
  memberRooms: [1, {}, tooMany, 'ok', twice(({ post }, i) => post({ room: `room ${i}` }))],
  lockBytes: [
    5,
    {},
    tooLarge,
    'locked',
    async ({ post, lock }) => (await post(), outcomeOf(lock({ location: 'a long place' }))),
  ],
  connectionLocks: [
    1,
    {},
    'full',
    'locked',
    async ({ post, lock }) => {
      await post()
      await lock()
      return outcomeOf(lock({ location: 'B2', lockSeq: 2 }))
    },
  ],
  roomLocks: [
    1,
    {},
    'full',
    'locked',
    async ({ post, lock }) => {
      await post()
      await lock()
      await post({ connectionKey: key(2) })
      return outcomeOf(lock({ location: 'B2', connectionKey: key(2) }))
    },
  ],
  streams: [1, {}, 'SERVICE_UNAVAILABLE', 'ok', twice(watch)],
  sockets: [
    1,
    {},
    'refused',
    'open',
    served(
      async (url) => {
        using _first = await rawSocket(url).opened()
        using second = rawSocket(url)
        await until('the second socket is open or refused', () => second.ws.readyState !== 0)
        return second.ws.readyState === 1 ? 'open' : 'refused'
      },
      { webSocket: true },
    ),
  ],
  memberStreams: [1, {}, tooMany, 'ok', twice(watch)],
  memberRoomStreams: [
    1,
    {},
    1,
    2,
    async ({ subscribe, hub }) => {
      await subscribe({ memberId: 'ada' })
      await subscribe({ memberId: 'ada' })
      return hub.streams.size
    },
  ],
  addressStreams: [
    1,
    {},
    tooMany,
    'ok',
    twice(({ as, settled }, i) => settled(as({ user: `user ${i}`, ip: '8.8.8.8' })['onLocation']!({ room: 'r' }))),
  ],
}

test.each(Object.entries(effects))('the limit %s takes effect', async (name, [low, others, limited, usual, probe]) => {
  const seen = async (limits: Partial<Limits>) => {
    // The claims of a first room would delay the first lock of a process.
    const stage = optionStage({ limits, timing: { claimMs: 0 } })
    try {
      return await probe(stage, limits)
    } finally {
      await stage.hub.close()
    }
  }
  expect(await seen({ ...others, [name]: low })).toEqual(limited)
  expect(await seen(others)).toEqual(usual)
})

test('the limits have a row for each, and no other', () => {
  expect(Object.keys(effects).toSorted()).toEqual(Object.keys(defaultLimits).toSorted())
})
