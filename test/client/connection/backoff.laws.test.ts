import { LocationError } from 'hereabouts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../src/client/connection/failure.js'
import {
  connecting,
  ended,
  followed,
  hurried,
  isPresent,
  opened,
  polled,
  reconnecting,
  type ConnectionState,
} from '../../../src/client/connection/connection-state.js'

/* The times at which a client tries a stream again, while a proxy lets single requests pass but no streams. */

const beatMs = 10_000
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const blocked = (message = 'no hello'): Failure => ({
  error: new LocationError('network', message),
  retry: true,
  obstructed: true,
})
const network: Failure = { error: new LocationError('network', 'down'), retry: true }
const at = (now: number, chance = 0) => ({ now, random: chance, beatMs })

/** Blocks `count` streams in a row. Returns the waits until the next stream is tried. */
function waits(link: ConnectionState, count: number, chances: number[]): { link: ConnectionState; waits: number[] } {
  const result = []
  let now = 1_000
  for (let i = 0; i < count; i++) {
    link = ended(link, blocked(), at(now, chances[i % chances.length]))
    result.push(link.obstacle!.until - now)
    now = link.obstacle!.until
    link = reconnecting(link, now)
    expect(link.state).toBe('connecting')
  }
  return { link, waits: result }
}

describe('the wait for the next stream while streams are blocked', () => {
  test('while streams are blocked, the wait for the next stream doubles from three heartbeat intervals to thirty', () => {
    expect(waits(connecting(), 6, [0]).waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000])
  })

  test('while streams are blocked, jitter shortens the wait for the next stream by at most a fifth', () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 1, maxLength: 60 }), (chances) => {
        waits(connecting(), chances.length, chances).waits.forEach((wait, i) => {
          const full = Math.min(30 * beatMs, 3 * beatMs * 2 ** i)
          // `until` is the sum of the present time and the wait, and its last digits are rounded.
          expect(wait).toBeLessThanOrEqual(full + 1e-6)
          expect(wait).toBeGreaterThanOrEqual(full * 0.8 - 1e-6)
        })
      }),
    )
  })

  test('after a stream has opened, the wait for blocked streams begins again at three heartbeat intervals', () => {
    const { link } = waits(connecting(), 4, [0])
    const open = opened(link, 5_000)
    expect(open.obstacle).toBeNull()
    expect(waits(open, 2, [0]).waits).toEqual([30_000, 60_000])
  })

  test('when the network is back, the wait for a blocked stream is shortened, and a second time does not extend it', () => {
    const link = ended(connecting(), blocked(), at(0))
    const soon = hurried(link, at(100, 0.5))
    expect(soon.obstacle?.until).toBe(100 + 250)
    expect(hurried(soon, at(400, 0.9))).toBe(soon)
  })
})

describe('a client whose streams are blocked', () => {
  test('a client whose streams are blocked polls, reports the error of the first stream, and is present once a poll is answered', () => {
    const first = ended(connecting(), blocked('the first'), at(0))
    expect(first).toMatchObject({ state: 'polling', answered: false, error: { message: 'the first' } })
    expect(isPresent(first)).toBe(false)
    const answered = polled(first, 0)
    expect(isPresent(answered)).toBe(true)
    expect(polled(answered, 0)).toBe(answered)
    const probing = reconnecting(answered, 30_000)
    expect([probing.state, isPresent(probing)]).toEqual(['connecting', true])
    const again = ended(probing, blocked('the second'), at(30_000))
    expect(again).toMatchObject({ state: 'polling', answered: true, error: { message: 'the first' } })
    expect(reconnecting(again, 40_000)).toMatchObject({ state: 'polling', answered: false })
  })

  test('a failed poll leads to backoff, and streams count as blocked only if an earlier poll was answered', () => {
    const link = ended(ended(connecting(), blocked(), at(0)), network, at(0, 0.5))
    expect(link).toMatchObject({ state: 'waiting', failures: 1, obstacle: null, retryAt: 250 })
    const kept = ended(polled(ended(connecting(), blocked(), at(0)), 0), network, at(0, 0.5))
    expect(kept).toMatchObject({ state: 'waiting', failures: 1, obstacle: { times: 1 } })
  })

  test('a poll that the view applied resets the failures of a client whose streams are blocked', () => {
    const failing = { ...ended(connecting(), blocked(), at(0)), failures: 4, forgiven: ['unauthorized' as const] }
    expect(followed(failing, false)).toMatchObject({ failures: 0, forgiven: [] })
  })
})

test('a poll that is answered while a stream is awaited makes the client present, and the stream is still awaited', () => {
  const held = polled(connecting(), 4_000)
  expect([held.state, isPresent(held)]).toEqual(['connecting', true])
  expect(polled(held, 5_000)).toBe(held)
  const over = ended(held, blocked('the second'), at(25_000))
  expect(over).toMatchObject({ state: 'polling', answered: true, obstacle: { times: 1 } })
})

test('a live connection is degraded from a `degraded` event to the next event, and an unchanged state is the same object', () => {
  const live = opened(connecting(), 0)
  const degraded = followed(live, true)
  expect(degraded).toMatchObject({ state: 'live', degraded: true })
  expect(followed(degraded, true)).toBe(degraded)
  expect(followed(degraded, false)).toMatchObject({ degraded: false })
})
