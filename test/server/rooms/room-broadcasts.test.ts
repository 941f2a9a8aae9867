import { describe, expect, test } from 'vitest'
import { newTraffic } from '../../../src/server/options/metrics.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { RoomBroadcasts } from '../../../src/server/rooms/room-broadcasts.js'
import { countingClock } from '../../support/counting-clock.js'

/* Broadcasts of a room: their wait for a version, their order and their pace. */

function stage() {
  const clock = countingClock()
  const state = { version: 0, nextTickAt: 0, fanOutMs: 0 }
  const wokenAt: number[] = []
  const startedAt = clock.now()
  const traffic = newTraffic()
  const broadcasts = new RoomBroadcasts({
    clock,
    timing: defaultTiming,
    traffic,
    eventBytes: 65_536,
    isShown: ({ item }) => item.after <= state.version,
    nextTickAt: () => state.nextTickAt,
    wakeAll(done) {
      wokenAt.push(clock.now() - startedAt)
      done(state.fanOutMs)
    },
  })
  const receive = (id: string, after = 0) =>
    broadcasts.receive(JSON.stringify({ id, epoch: 'e', to: null, item: { name: 'note', payload: id, after } }))
  return { clock, startedAt, state, broadcasts, receive, wokenAt, traffic }
}

describe('the wait for a version', () => {
  test('a broadcast waits 100 ms for its version, and the one behind it as long from its own arrival', async () => {
    const { clock, broadcasts, receive } = stage()
    receive('one', 5)
    await clock.advance(60)
    receive('two', 5)
    await clock.advance(39)
    expect(broadcasts.ring.end).toBe(0)
    await clock.advance(1)
    expect(broadcasts.ring.end).toBe(1)
    await clock.advance(59)
    expect(broadcasts.ring.end).toBe(1)
    await clock.advance(1)
    expect(broadcasts.ring.end).toBe(2)
  })

  test('a hundred broadcasts that wait have one timer, and none is left when their version is reached', async () => {
    const { clock, broadcasts, receive, state } = stage()
    for (let i = 0; i < 100; i++) receive(`b${i}`, 5)
    expect(clock.pending).toBe(1)
    state.version = 5
    broadcasts.advance()
    expect(broadcasts.ring.end).toBe(100)
    await clock.advance(200)
    expect(clock.pending).toBe(0)
  })

  test('a broadcast that waits later than the timer of an earlier one is released too', async () => {
    const { clock, broadcasts, receive, state } = stage()
    receive('one', 1)
    state.version = 1
    broadcasts.advance()
    await clock.advance(50)
    receive('two', 2)
    await clock.advance(100)
    expect(broadcasts.ring.end).toBe(2)
  })
})

describe('the pace of broadcasts', () => {
  test('the first broadcast wakes the readers at once, and later ones at most every frameMinMs', async () => {
    const { clock, receive, wokenAt } = stage()
    for (let ms = 0; ms < 40; ms++) {
      receive(`at ${ms}`)
      await clock.advance(1)
    }
    expect(wokenAt).toEqual([0, 16, 32])
  })

  test('after a slow fan-out, the next one waits four times its duration, at most frameMaxMs', async () => {
    for (const [fanOutMs, nextAt] of [
      [10, 40],
      [1_000, 250],
    ] as const) {
      const { clock, receive, state, wokenAt } = stage()
      state.fanOutMs = fanOutMs
      receive('one')
      await clock.advance(1)
      receive('two')
      await clock.advance(nextAt)
      expect(wokenAt).toEqual([0, nextAt])
    }
  })

  test('broadcasts wait for the next frame of the room, and a frame that comes first carries them', async () => {
    const { clock, startedAt, receive, state, broadcasts, wokenAt } = stage()
    state.nextTickAt = startedAt + 30
    receive('one')
    await clock.advance(29)
    expect(wokenAt).toEqual([])
    await clock.advance(1)
    expect(wokenAt).toEqual([30])
    state.nextTickAt = startedAt + 60
    receive('two')
    broadcasts.carried()
    await clock.advance(60)
    expect(wokenAt).toEqual([30])
    receive('three')
    await clock.advance(0)
    expect(wokenAt).toEqual([30, 90])
  })
})

test('a broadcast that arrives twice is counted and kept once, even after 500 others', () => {
  const { broadcasts, receive, traffic } = stage()
  for (let i = 0; i < 500; i++) receive(`b${i}`)
  for (let i = 0; i < 500; i++) receive(`b${i}`)
  expect([broadcasts.ring.end, traffic.broadcasts]).toEqual([500, 500])
})
