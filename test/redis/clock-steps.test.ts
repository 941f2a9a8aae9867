import { createClient } from 'redis'
import type { Action, BackendRoom } from 'hereabouts/server'
import { redisBackend } from 'hereabouts/server/redis'
import { manualClock } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { leaving, posting, rules, sweeping } from '../support/histories.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'

const hour = 3_600_000

/* A script in Redis has no monotonic clock: it reads the wall clock of Redis, and detects steps of that clock. */
describe.skipIf(skipWithoutRedis)('a step of the wall clock of Redis', () => {
  let server: RedisServer
  let client: ReturnType<typeof createClient>
  let games = 0
  beforeAll(async () => {
    server = await redisServer()
    client = createClient({ url: server.url })
    await client.connect()
  })
  afterAll(async () => {
    client?.destroy()
    await server?.[Symbol.asyncDispose]()
  })

  async function game() {
    const time = manualClock()
    const backend = redisBackend({ client, time, prefix: `steps${++games}` })
    const onCommit = () => {}
    const options = { clock: time, rules, sweepMs: 250, onCommit, onReset: onCommit }
    const room: BackendRoom = await backend.open('r', options)
    // Advances the time one second at a time, with a sweep after each second as in a hub.
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        time.stall(Math.min(left, 1_000))
        await room.act([sweeping])
        await room.refresh()
      }
    }
    const present = async () => {
      const other = await backend.open('r', options)
      await other.close()
      return other.state.connections.map(({ connectionId }) => connectionId).toSorted()
    }
    const version = async () => {
      const other = await backend.open('r', options)
      await other.close()
      return other.state.version
    }
    const act = async (...actions: Action[]) => room.act(actions)
    return { time, pass, present, version, act, close: () => backend.close() }
  }

  test('when the wall clock of Redis is stepped back by an hour, leases, graces and tombstones keep their durations', async () => {
    const { time, act, pass, present, version, close } = await game()
    await act(posting('kept', 1, 'A1'), posting('lost', 1, 'A1'), posting('gone', 1, 'A1'), posting('leaves', 1, 'A1'))
    await act(leaving('gone'), { ...leaving('leaves'), graceMs: 3_000 } as Action)
    const before = await version()
    time.step(-hour)
    await pass(5_000)
    expect(await present()).toEqual(['kept', 'lost'])
    await act(posting('kept', 2, 'B2'))
    expect(await version()).toBeGreaterThan(before)
    await pass(26_000)
    expect(await present()).toEqual(['kept'])
    expect(await act(posting('gone', 2, 'A1'))).toMatchObject([{ outcome: 'left' }])
    await pass(5_000)
    expect(await present()).toEqual([])
    await pass(40_000)
    expect(await act(posting('gone', 2, 'A1'))).toMatchObject([{ outcome: 'applied' }])
    await close()
  })

  test('when the wall clock of Redis is stepped forward by an hour, no present connection is lost, and connections that left stay gone', async () => {
    const { time, act, pass, present, version, close } = await game()
    await act(posting('kept', 1, 'A1'), posting('gone', 1, 'A1'))
    await act(leaving('gone'), leaving('unseen'))
    const before = await version()
    time.step(hour)
    await pass(2_000)
    expect(await present()).toEqual(['kept'])
    expect(await act(posting('gone', 2, 'A1'), posting('unseen', 1, 'A1'))).toMatchObject([
      { outcome: 'left' },
      { outcome: 'left' },
    ])
    await act(posting('kept', 2, 'B2'))
    expect(await version()).toBeGreaterThan(before)
    await pass(31_000)
    expect(await present()).toEqual([])
    await close()
  })
})
