import type { TimingOptions } from 'hereabouts/server'
import { expect, test } from 'vitest'
import { defaultTiming, type Timing } from '../../../src/server/options/timing.js'
import { eventsOf, key, optionStage, type OptionStage } from '../../support/servers/option-stage.js'

/*
 * Each duration takes effect: the same course of events ends differently when the duration is changed. A duration
 * without a row here does not compile, so that none can be accepted and then do nothing.
 */

type Probe = (stage: OptionStage) => Promise<unknown>
/** Another value, the durations besides, what the probe sees with the value, and what it sees with the default. */
type Effect = [value: number, others: TimingOptions, changed: unknown, usual: unknown, probe: Probe]

const outcomeOf = async (answer: Promise<{ code?: string; outcome?: string }>) => {
  const { code, outcome = 'ok' } = await answer
  return code ?? outcome
}
const count = ({ hub }: OptionStage) => hub.room('r').count()
const hello: Probe = async ({ subscribe }) => eventsOf(await subscribe())[0]
/** Posts, lets time pass, and counts the members. */
const remains =
  (afterMs: number, own: object = {}): Probe =>
  async (stage) => {
    await stage.post(own)
    await stage.clock.advance(afterMs)
    return count(stage)
  }
/** Opens a stream, takes its frames each second, and returns whether it is open after this long. */
const isOpenAfter =
  (ms: number): Probe =>
  async ({ clock, subscribe }) => {
    const stream = await subscribe()
    for (let passed = 0; passed < ms; passed += 1_000) {
      eventsOf(stream)
      await clock.advance(1_000)
    }
    return stream.isOpen
  }
/** The milliseconds between two frames, when each takes 30 ms to send. */
const frameGap: Probe = async ({ clock, subscribe, post }) => {
  await post()
  const viewer = await subscribe()
  eventsOf(viewer)
  const at: number[] = []
  viewer.onOwed = () => {
    if (!eventsOf(viewer).some(({ type }) => type === 'changes')) return
    at.push(clock.now())
    clock.stall(30)
  }
  await clock.advance(1_000)
  for (let i = 0; i < 2; i++) void post({ location: i }).catch(() => {})
  await clock.advance(0)
  void post({ location: 9 }).catch(() => {})
  for (let ms = 0; ms < 1_000; ms++) await clock.advance(1)
  return at[1]! - at[0]!
}

const effects: Record<keyof Timing, Effect | Effect[]> = {
  beatMs: [
    [5_000, {}, expect.objectContaining({ beatMs: 5_000 }), expect.objectContaining({ beatMs: 10_000 }), hello],
    [
      5_000,
      {},
      4,
      2,
      async ({ clock, subscribe }) => {
        const viewer = await subscribe()
        let beats = 0
        for (let ms = 0; ms < 20_000; ms += 1_000) {
          beats += eventsOf(viewer).filter(({ type }) => type === 'beat').length
          await clock.advance(1_000)
        }
        return beats
      },
    ],
  ],
  leaseMs: [
    [7_000, {}, 0, 1, remains(8_000)],
    [7_000, {}, expect.objectContaining({ leaseMs: 7_000 }), expect.objectContaining({ leaseMs: 30_000 }), hello],
  ],
  leaseMinMs: [6_000, {}, 'BAD_REQUEST', 'applied', ({ post }) => outcomeOf(post({ leaseMs: 5_500 }))],
  leaseMaxMs: [40_000, {}, 'BAD_REQUEST', 'applied', ({ post }) => outcomeOf(post({ leaseMs: 50_000 }))],
  closedMs: [
    5_000,
    {},
    0,
    1,
    async (stage) => {
      const { connectionId } = await stage.post()
      const stream = await stage.subscribe({ connectionId: connectionId as string })
      stream.close()
      await stage.clock.advance(6_000)
      return count(stage)
    },
  ],
  graceMaxMs: [
    1_000,
    {},
    0,
    1,
    async (stage) => {
      await stage.post()
      await stage.settled(stage.as()['leaveRoom']!({ room: 'r', connectionKey: key(1), graceMs: 4_000 }))
      await stage.clock.advance(2_000)
      return count(stage)
    },
  ],
  tombstoneMs: [
    30_000,
    {},
    'applied',
    'left',
    async (stage) => {
      await stage.subscribe()
      await stage.post()
      await stage.settled(stage.as()['leaveRoom']!({ room: 'r', connectionKey: key(1) }))
      await stage.clock.advance(35_000)
      return outcomeOf(stage.post())
    },
  ],
  lockMs: [
    [
      8_000,
      { claimMs: 0 },
      0,
      1,
      async ({ clock, hub, post, lock }) => {
        await post()
        await lock()
        await clock.advance(9_000)
        const [member] = await hub.room('r').members()
        return (member!.connections[0] as { locks?: unknown[] }).locks?.length ?? 0
      },
    ],
    [
      8_000,
      {},
      expect.objectContaining({ locks: { lockMs: 8_000, idleMs: 120_000 } }),
      expect.objectContaining({ locks: { lockMs: 30_000, idleMs: 120_000 } }),
      hello,
    ],
  ],
  claimMs: [0, {}, 'locked', 'taken', async ({ post, lock }) => (await post(), outcomeOf(lock()))],
  requestMs: [
    5_000,
    {},
    0,
    1,
    async ({ clock, hub, subscribe }) => {
      await subscribe()
      await clock.advance(16_000)
      return hub.streams.size
    },
  ],
  rotateMs: [60_000, {}, false, true, isOpenAfter(75_000)],
  // The effect of the two on real sockets is tested in cuts.test.ts, write-timeouts.test.ts and socket-writer.test.ts.
  stallMs: [1_000, {}, 1_000, 10_000, async ({ subscribe }) => (await subscribe()).room.timing.stallMs],
  frameStallMs: [1_000, {}, 1_000, 60_000, async ({ subscribe }) => (await subscribe()).room.timing.frameStallMs],
  drainMs: [
    1_000,
    {},
    0,
    2,
    async ({ clock, hub, subscribe }) => {
      for (let i = 0; i < 100; i++) await subscribe()
      void hub.drain()
      await clock.advance(1_100)
      return Math.min(hub.streams.size, 2)
    },
  ],
  sweepMs: [
    5_000,
    {},
    1,
    0,
    async (stage) => {
      await stage.post({ leaseMs: 5_000 })
      await stage.clock.advance(5_600)
      return count(stage)
    },
  ],
  recheckMs: [
    [
      10_000,
      {},
      'FORBIDDEN',
      'same',
      async ({ clock, state, post }) => {
        await post()
        state.isAllowed = false
        await clock.advance(11_000)
        return outcomeOf(post())
      },
    ],
    [
      20_000,
      {},
      2,
      0,
      async ({ clock, subscribe }) => {
        let asked = 0
        const stream = await subscribe({ recheck: async () => (asked += 1) > 0 })
        for (let ms = 0; ms < 50_000; ms += 1_000) {
          eventsOf(stream)
          await clock.advance(1_000)
        }
        return asked
      },
    ],
  ],
  hookMs: [
    1_000,
    {},
    'SERVICE_UNAVAILABLE',
    'still waiting',
    async ({ as, state, settled }) => {
      state.hangs = true
      const answer = settled(as()['getLocations']!({ room: 'r' }), 2_000).then(({ code }) => code)
      await new Promise((resolve) => setImmediate(resolve))
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
      return Promise.race([answer, Promise.resolve('still waiting')])
    },
  ],
  postMs: [70, {}, expect.objectContaining({ postMs: 70 }), expect.objectContaining({ postMs: 50 }), hello],
  presenceMs: [
    150,
    {},
    expect.objectContaining({ presenceMs: 150 }),
    expect.objectContaining({ presenceMs: 100 }),
    hello,
  ],
  frameMinMs: [200, {}, 200, 120, frameGap],
  frameMaxMs: [100, {}, 100, 120, frameGap],
}

const rows = Object.entries(effects).flatMap(([name, effect]) =>
  (Array.isArray(effect[0]) ? (effect as Effect[]) : [effect as Effect]).map((each) => [name, ...each] as const),
)

test.each(rows)('the duration %s of %i ms takes effect', async (name, value, others, changed, usual, probe) => {
  const seen = async (timing: TimingOptions) => {
    const stage = optionStage({ timing })
    return probe(stage)
  }
  expect(await seen({ ...others, [name]: value })).toEqual(changed)
  expect(await seen(others)).toEqual(usual)
})

test('the durations have a row for each, and no other', () => {
  expect(Object.keys(effects).toSorted()).toEqual(Object.keys(defaultTiming).toSorted())
})

test('the option scale multiplies every duration that has no value of its own', async () => {
  const { hub } = optionStage({ timing: { scale: 0.5, beatMs: 8_000 } })
  const halves = Object.fromEntries(Object.entries(defaultTiming).map(([name, ms]) => [name, ms / 2]))
  expect(hub.timing).toEqual({ ...halves, beatMs: 8_000 })
})
