import fc from 'fast-check'
import * as z from 'zod'
import { createLocationHub } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { Gate } from '../../../src/server/access/gate.js'
import { Hub } from '../../../src/server/hub/hub.js'
import { silentLogger } from '../../../src/server/options/logger.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'
import { leaving, posting } from '../../support/histories.js'

/*
 * The wall clock is stepped by NTP, by a person, or when a machine wakes up. A step must not change durations. An
 * expiry date must be compared with the wall clock as it is after the step.
 */

const hour = 3_600_000
const leaseMs = 30_000

function stage() {
  const clock = manualClock()
  const hub = createLocationHub({ location: z.string(), profile: z.string(), clock })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const at = (fromNowMs: number) => new Date(clock.date().getTime() + fromNowMs)
  const act = async (action: Parameters<typeof hub.act>[1]) => {
    const answer = hub.act('r', action)
    await clock.advance(300)
    return answer
  }
  const open = async (expiresAt: Date | null = null) => {
    const viewer = await hub.subscribe('r', {
      connectionId: null,
      memberId: 'ada',
      lastEventId: null,
      expiresAt,
      recheck: async () => true,
    })
    taken(viewer)
    return viewer
  }
  const room = () => hub.use('r', ({ timeline }) => timeline)
  return { clock, hub, at, act, open, room }
}

function taken(subscriber: Subscriber) {
  const events = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) events.push(frame.event)
  return events
}

const stepMs = fc.oneof(fc.constantFrom(-hour, hour, -1, 1), fc.integer({ min: -10 * hour, max: 10 * hour }))
const moves = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('step' as const), ms: stepMs }),
    fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(400, 7_000, 14_000, 31_000) }),
    fc.record({ type: fc.constant('post' as const), connectionId: fc.constantFrom('c1', 'c2', 'c3') }),
  ),
  { minLength: 1, maxLength: 25 },
)

describe('steps of the wall clock', () => {
  test(
    'a connection is present exactly for its lease after its last post, however the wall clock is stepped',
    { timeout: 30_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(moves, async (history) => {
          const { clock, act, room } = stage()
          await act(leaving('someone'))
          const postedAt = new Map<string, number>()
          let seq = 0
          for (const move of history) {
            if (move.type === 'step') clock.step(move.ms)
            else if (move.type === 'pass') await clock.advance(move.ms)
            else {
              await act(posting(move.connectionId, (seq += 1), `place ${seq}`))
              postedAt.set(move.connectionId, clock.now() - 300)
            }
            const { connection } = await room().then((timeline) => ({ connection: timeline.connection.bind(timeline) }))
            for (const [connectionId, postedMs] of postedAt) {
              const ageMs = clock.now() - postedMs
              // Leases are checked every 250 ms.
              if (ageMs < leaseMs) expect(connection(connectionId)).toBeDefined()
              if (ageMs > leaseMs + 600) expect(connection(connectionId)).toBeUndefined()
            }
          }
        }),
        { numRuns: 40 },
      )
    },
  )

  test('versions strictly increase, and are the time of the wall clock when that is ahead of the last version', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepMs, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { clock, act, room } = stage()
        let seq = 0
        let last = 0
        for (const ms of steps) {
          clock.step(ms)
          const micros = clock.date().getTime() * 1_000
          await act(posting('c1', (seq += 1), `place ${seq}`))
          const { version } = await room()
          expect(version).toBeGreaterThan(last)
          expect(version).toBeGreaterThanOrEqual(micros)
          if (micros > last && last !== 0) expect(version - micros).toBeLessThanOrEqual(300_000)
          last = version
        }
      }),
      { numRuns: 40 },
    )
  })

  test('a tombstone is kept for a minute, even when the wall clock is stepped an hour forward or back', async () => {
    for (const ms of [-hour, hour]) {
      const { clock, act, room } = stage()
      await act(posting('c1', 1, 'A1'))
      await act(posting('c2', 1, 'A1'))
      const { version } = await room()
      await act(leaving('c1'))
      clock.step(ms)
      await clock.advance(10_000)
      expect((await room()).since(version).left).toHaveLength(1)
      for (let seconds = 0; seconds < 70; seconds += 10) {
        await clock.advance(10_000)
        await act(posting('c2', 2 + seconds, 'A1'))
      }
      expect((await room()).floor).toBeGreaterThan(version)
    }
  })

  test('a stream ends at most one heartbeat after the wall clock is stepped past the expiry of its identity', async () => {
    const { clock, hub, at, open } = stage()
    const ended = await open(at(hour / 2))
    const lasting = await open(at(2 * hour))
    clock.step(hour)
    await clock.advance(10_100)
    expect(taken(ended).at(-1)).toEqual({ type: 'bye', reason: 'expired' })
    expect(lasting.isOpen).toBe(true)
    expect(hub.streams.size).toBe(1)
  })

  test('when the wall clock is stepped back, a stream stays open until its identity expires by the new time', async () => {
    const { clock, at, open } = stage()
    const viewer = await open(at(20_000))
    clock.step(-60_000)
    await clock.advance(79_000)
    expect(viewer.isOpen).toBe(true)
    await clock.advance(1_000)
    expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'expired' })
  })

  test('an identity is accepted exactly until its expiresAt by the wall clock', async () => {
    const session = { endsAt: new Date(0) }
    const clock = manualClock()
    const gate = new Gate(
      { identify: () => ({ memberId: 'ada', expiresAt: session.endsAt }), authorize: () => true },
      {
        clock,
        logger: silentLogger,
        hookMs: 5_000,
        recheckMs: 60_000,
        parseProfile: async () => ({ json: 'null', value: null }),
      },
    )
    await fc.assert(
      fc.asyncProperty(stepMs, stepMs, async (ms, endsInMs) => {
        clock.step(ms)
        session.endsAt = new Date(clock.date().getTime() + endsInMs)
        const answer = await gate.caller(null).then(
          () => 'accepted',
          ({ code }: { code: string }) => code,
        )
        expect(answer).toBe(endsInMs > 0 ? 'accepted' : 'unauthorized')
      }),
    )
  })
})
