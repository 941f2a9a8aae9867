import { LocationError } from 'hereabouts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../src/client/connection/failure.js'
import {
  backoffMs,
  connecting,
  diverged,
  ended,
  hurried,
  opened,
  reconnecting,
  type ConnectionState,
} from '../../../src/client/connection/connection-state.js'

const beatMs = 10_000
const failure = (code: LocationError['code'], retry: boolean, retryAfterMs?: number): Failure => ({
  error: new LocationError(code, 'as told', retryAfterMs === undefined ? {} : { retryAfterMs }),
  retry,
})
const network = failure('network', true)
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the reconnect backoff', () => {
  test('the reconnect backoff stays between 0 and a limit that doubles up to three heartbeat intervals', () => {
    fc.assert(
      fc.property(fc.nat(1000), random, fc.integer({ min: 10, max: 60_000 }), (failures, random, beatMs) => {
        const delayMs = backoffMs(failures, { now: 0, random, beatMs })
        expect(delayMs).toBeGreaterThanOrEqual(0)
        expect(delayMs).toBeLessThanOrEqual(Math.min(3 * beatMs, (beatMs / 20) * 2 ** Math.max(0, failures - 1)))
      }),
    )
  })

  test('the reconnect backoff is spread by jitter over its whole range', () => {
    expect(backoffMs(1, { now: 0, random: 0, beatMs })).toBe(0)
    expect(backoffMs(1, { now: 0, random: 0.999, beatMs })).toBeCloseTo(499.5)
    expect(backoffMs(100, { now: 0, random: 0.999, beatMs })).toBeCloseTo(29_970)
  })
})

describe('the end of a stream', () => {
  const at = (now: number, random = 0.5) => ({ now, random, beatMs })

  test('each stream that does not last doubles the limit of the backoff, up to three heartbeat intervals', () => {
    let link: ConnectionState = connecting()
    const delays = []
    for (let i = 0; i < 8; i++) {
      // The later failures come long after the first, so that the time since the first does not limit the backoff.
      const now = i && 600_000
      link = ended(reconnecting(link, now), network, at(now))
      if (link.state === 'waiting') delays.push(link.retryAt - now)
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000])
  })

  test('after an outage, all clients are back within twice its duration and 0.5 s, and fewer than 350 of 1,000 in any 100 ms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 30_000 }), fc.nat(), (outageMs, seed) => {
        let state = seed
        const next = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
        const back = Array.from({ length: 1_000 }, () => {
          let link = ended(opened(connecting(), -beatMs / 2), network, at(0, next()))
          while (link.state === 'waiting' && link.retryAt < outageMs) {
            const now = link.retryAt + 1
            link = ended(reconnecting(link, now), network, at(now, next()))
          }
          return link.state === 'waiting' ? link.retryAt : Infinity
        })
        expect(Math.max(...back)).toBeLessThanOrEqual(2 * outageMs + 502)
        const tenths = new Map<number, number>()
        for (const at of back) tenths.set(Math.floor(at / 100), (tenths.get(Math.floor(at / 100)) ?? 0) + 1)
        expect(Math.max(...tenths.values())).toBeLessThan(350)
      }),
      { numRuns: 10 },
    )
  })

  test('a stream that was live for a heartbeat interval resets the number of failures', () => {
    const failing = ended(ended(connecting(), network, at(0)), network, at(0))
    expect(ended(opened(failing, 0), network, at(beatMs - 1))).toMatchObject({ state: 'waiting', failures: 3 })
    expect(ended(opened(failing, 0), network, at(beatMs))).toMatchObject({ failures: 0, retryAt: beatMs + 250 })
  })

  test('a refused stream closes the connection, with the code of the refusal as reason', () => {
    const link = ended(connecting(), failure('forbidden', false), at(0))
    expect(link).toMatchObject({ state: 'closed', reason: 'forbidden', error: { code: 'forbidden' } })
  })

  test.each(['unauthorized', 'connection-owned'] as const)(
    'a stream refused with %s is retried once, at once, and again only after a stream that lasted a heartbeat interval',
    (code) => {
      const again = ended(connecting(), failure(code, false), at(7))
      expect(again).toMatchObject({ state: 'waiting', retryAt: 7 })
      expect(ended(reconnecting(again, 8), failure(code, false), at(8))).toMatchObject({
        state: 'closed',
        reason: code,
      })
      // One retry after each stream that lasted, not one in total: a token may expire every hour, for example.
      const live = opened(again, 8)
      expect(ended(live, failure(code, false), at(8 + beatMs))).toMatchObject({ state: 'waiting' })
      // A stream that did not last allows no retry: a server that sends hello before each refusal would be asked
      // without a pause.
      expect(ended(live, failure(code, false), at(9))).toMatchObject({ state: 'closed', reason: code })
    },
  )

  test('a failed stream is retried after the delay that the server asks for', () => {
    const link = ended(connecting(), failure('rate-limited', true, 60_000), at(0))
    expect(link).toMatchObject({ state: 'waiting', retryAt: 60_000 })
  })

  test('without a delay from the server, no wait for a stream is longer than three heartbeat intervals', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('open', 'end', 'hurried'), fc.nat(20_000), random)), (steps) => {
        let link: ConnectionState = connecting()
        let now = 0
        for (const [step, passedMs, random] of steps) {
          now += passedMs
          const moment = { now, random, beatMs }
          if (step === 'open') link = opened(link, now)
          else link = step === 'end' ? ended(link, network, moment) : hurried(link, moment)
          if (step === 'end') expect(link.state).toBe('waiting')
          if (link.state === 'waiting') expect(link.retryAt - now).toBeLessThanOrEqual(3 * beatMs)
        }
      }),
    )
  })
})

describe('a view that diverged', () => {
  const live = opened(connecting(), 0)

  test('a view that missed a frame reconnects every time', () => {
    for (const now of [1, 2]) {
      expect(diverged(live, 'from', network, { now, random: 0.5, beatMs })).toMatchObject({ state: 'waiting' })
    }
  })

  test('a view whose digest differs from the server reconnects at most once in six heartbeat intervals', () => {
    const first = diverged(live, 'digest', network, { now: 1, random: 0, beatMs })
    expect(first.state).toBe('waiting')
    const next = opened(first, 2)
    expect(diverged(next, 'digest', network, { now: 6 * beatMs, random: 0, beatMs })).toBe(next)
    expect(diverged(next, 'digest', network, { now: 6 * beatMs + 1, random: 0, beatMs }).state).toBe('waiting')
  })
})

describe('news that the network is back', () => {
  test('news that the network is back shortens a wait for the next attempt and never extends it', () => {
    const failing: ConnectionState = { ...connecting(), failures: 9 }
    const waiting = ended(failing, network, { now: 0, random: 0.9, beatMs })
    expect(hurried(waiting, { now: 10, random: 0.5, beatMs })).toMatchObject({ retryAt: 260 })
    const soon = ended(connecting(), network, { now: 0, random: 0.01, beatMs })
    expect(hurried(soon, { now: 0, random: 0.9, beatMs })).toMatchObject({ retryAt: 5 })
  })

  test('news that the network is back does not change a live connection, or a wait that the server asked for', () => {
    const told = ended(connecting(), failure('rate-limited', true, 60_000), { now: 0, random: 0, beatMs })
    expect(hurried(told, { now: 10, random: 0.5, beatMs })).toBe(told)
    const live = opened(connecting(), 0)
    expect(hurried(live, { now: 5, random: 0, beatMs })).toBe(live)
  })
})
