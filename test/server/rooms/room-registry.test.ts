import { memoryBackend, type Backend, type RoomOptions } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/server/options/logger.js'
import { noMetrics } from '../../../src/server/options/metrics.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { RoomRegistry } from '../../../src/server/rooms/room-registry.js'
import { countingClock } from '../../support/counting-clock.js'
import { posting, rules } from '../../support/histories.js'

/* The registry opens, sweeps and closes the rooms of a process, again and again. */

function stage() {
  const clock = countingClock()
  const memory = memoryBackend()
  const state = { opened: [] as string[], closed: [] as string[], fails: false, closeFails: false, turns: 0 }
  let pause: Promise<void> | undefined
  const options: RoomOptions[] = []
  const backend: Backend = {
    ...memory,
    async open(id, given) {
      state.opened.push(id)
      options.push(given)
      await pause
      if (state.fails) throw new Error('down')
      const room = await memory.open(id, given)
      return {
        ...room,
        async close() {
          state.closed.push(id)
          if (state.closeFails) throw new Error('cannot close')
          await room.close()
        },
      }
    },
  }
  const warnings: [string, unknown][] = []
  const rooms = new RoomRegistry({
    backend,
    rules,
    startedAt: clock.now() - 7,
    clock,
    timing: defaultTiming,
    metrics: noMetrics,
    logger: { ...silentLogger, warn: (message, details) => void warnings.push([message, details]) },
    broadcastEventBytes: 65_536,
    turnMs: 100,
    onTurn: () => (state.turns += 1),
  })
  const enter = async (id: string, connectionId = 'c1') => {
    const answer = rooms.use(id, (room) => room.act(posting(connectionId, undefined, 'A1')))
    await clock.advance(20)
    await answer
  }
  return { clock, rooms, state, options, warnings, enter, wait: (until: Promise<void>) => void (pause = until) }
}

describe('the timer of the rooms', () => {
  test('the timer of the rooms runs while a room is open, stops with the last one, and starts again with the next', async () => {
    const { clock, rooms, state } = stage()
    for (let round = 0; round < 3; round++) {
      await rooms.use('r', () => {})
      const before = state.turns
      await clock.advance(1_000)
      expect(state.turns - before).toBeGreaterThan(0)
      expect(rooms.readings().rooms).toBe(0)
      expect(clock.pending).toBe(0)
    }
  })

  test('the timer of the rooms expires leases in a room that was opened after all others had closed', async () => {
    const { clock, rooms, enter } = stage()
    await rooms.use('first', () => {})
    await clock.advance(1_000)
    await enter('second')
    await clock.advance(31_000)
    expect(await rooms.use('second', ({ timeline }) => timeline.size)).toBe(0)
  })

  test('the timer of the rooms runs once, however many rooms are open', async () => {
    const { clock, rooms, state, enter } = stage()
    for (const id of ['a', 'b', 'c']) await enter(id)
    const before = state.turns
    expect(clock.pending).toBe(1)
    await clock.advance(1_000)
    expect(state.turns - before).toBe(10)
    expect(rooms.readings()).toMatchObject({ rooms: 3, connections: 3 })
  })

  test('the timer of the rooms makes up for missed turns, at most a hundred of them', async () => {
    const { clock, state, enter } = stage()
    await enter('r')
    for (const [stallMs, turns] of [
      [950, 10],
      [60_000, 100],
    ] as const) {
      const before = state.turns
      clock.stall(stallMs)
      await clock.advance(0)
      expect(state.turns - before).toBeGreaterThanOrEqual(turns - 1)
      expect(state.turns - before).toBeLessThanOrEqual(turns)
      await clock.advance(100)
      expect(state.turns - before).toBeLessThanOrEqual(turns + 1)
    }
  })
})

describe('opening a room', () => {
  test('a room that several callers enter at once is opened once, and stays open while one of them uses it', async () => {
    const { clock, rooms, state } = stage()
    let finish = () => {}
    const used = rooms.use('r', () => new Promise<void>((resolve) => (finish = resolve)))
    await Promise.all([rooms.use('r', () => {}), rooms.use('r', () => {})])
    await clock.advance(5_000)
    expect([state.opened, state.closed]).toEqual([['r'], []])
    finish()
    await used
    await clock.advance(1_000)
    expect(state.closed).toEqual(['r'])
  })

  test('a room is released when the work of a caller throws', async () => {
    const { clock, rooms, state } = stage()
    await expect(rooms.use('r', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await clock.advance(1_000)
    expect(state.closed).toEqual(['r'])
  })

  test('a room that could not be opened is `unavailable`, with the cause, and is tried again by the next caller', async () => {
    const { rooms, state } = stage()
    state.fails = true
    await expect(rooms.use('r', () => {})).rejects.toMatchObject({ code: 'unavailable', cause: { message: 'down' } })
    expect(await rooms.openRoom('r')).toBeUndefined()
    state.fails = false
    await expect(rooms.use('r', () => 'open')).resolves.toBe('open')
    expect(state.opened).toEqual(['r', 'r'])
  })

  test('a room whose opening fails is no open room for those who only look', async () => {
    const { rooms, state, wait } = stage()
    let go = () => {}
    wait(new Promise<void>((resolve) => (go = resolve)))
    state.fails = true
    const entered = rooms.use('r', () => {}).catch(() => 'failed')
    const looked = rooms.openRoom('r')
    go()
    expect([await entered, await looked]).toEqual(['failed', undefined])
  })

  test('the backend gets the rules, the clock, the sweep interval and the start of the hub', async () => {
    const { clock, rooms, options } = stage()
    await rooms.use('r', () => {})
    expect(options[0]).toMatchObject({ rules, clock, sweepMs: defaultTiming.sweepMs, startedAt: clock.now() - 7 })
  })
})

describe('an unreachable backend', () => {
  test('an unreachable backend shows in rooms that are open, in those opened meanwhile, and in none after its return', async () => {
    const { rooms, enter } = stage()
    const isOutOfReach = (id: string) => rooms.use(id, (room) => room.isOutOfReach)
    await enter('before')
    await rooms.degrade(true)
    expect([rooms.isDegraded, await isOutOfReach('before'), await isOutOfReach('meanwhile')]).toEqual([
      true,
      true,
      true,
    ])
    await rooms.degrade(false)
    expect([rooms.isDegraded, await isOutOfReach('before'), await isOutOfReach('meanwhile')]).toEqual([
      false,
      false,
      false,
    ])
    expect(await isOutOfReach('after')).toBe(false)
  })
})

describe('an empty room', () => {
  test('an empty room stays open for a minute after its last connection was lost, however long its lease was', async () => {
    const { clock, rooms } = stage()
    const answer = rooms.use('r', (room) => room.act(posting('c1', 1, 'A1', { leaseMs: 100_000 })))
    await clock.advance(20)
    await answer
    await clock.advance(101_000)
    expect(rooms.readings()).toMatchObject({ rooms: 1, connections: 0 })
    await clock.advance(58_000)
    expect(rooms.readings().rooms).toBe(1)
    await clock.advance(4_000)
    expect(rooms.readings().rooms).toBe(0)
  })
})

describe('closing', () => {
  test('closing the registry closes every room once, stops the timer, and refuses further calls', async () => {
    const { clock, rooms, state, enter } = stage()
    await enter('a')
    await enter('b')
    await rooms.close()
    expect(state.closed.toSorted()).toEqual(['a', 'b'])
    await clock.advance(1_000)
    expect(clock.pending).toBe(0)
    await expect(rooms.use('a', () => {})).rejects.toMatchObject({ code: 'closed' })
    expect(rooms.readings().rooms).toBe(0)
  })

  test('closing the registry waits for a room that is being opened, and survives rooms that cannot be closed', async () => {
    const { rooms, state, wait, enter } = stage()
    await enter('broken')
    let go = () => {}
    wait(new Promise<void>((resolve) => (go = resolve)))
    state.closeFails = true
    const late = rooms.use('late', () => {}).catch(() => {})
    const closed = rooms.close()
    go()
    await Promise.all([closed, late])
    expect(state.closed.toSorted()).toEqual(['broken', 'late'])
  })

  test('an idle room that cannot be closed is logged, and the next caller opens it anew', async () => {
    const { clock, rooms, state, warnings } = stage()
    state.closeFails = true
    await rooms.use('r', () => {})
    await clock.advance(1_000)
    expect(warnings).toEqual([
      ['a room could not be closed', { error: expect.objectContaining({ message: 'cannot close' }) as Error }],
    ])
    await rooms.use('r', () => {})
    expect(state.opened).toEqual(['r', 'r'])
  })
})
