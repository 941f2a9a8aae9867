import type { Action, Outcome, RoomState } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { redisBackend } from 'hereabouts/server/redis'
import { describe, expect, test } from 'vitest'
import { backgroundClock } from '../../src/shared/background-clock.js'
import { keysOf } from '../../src/server/backends/redis/keys.js'
import { kept, leaving, posting, rules, startMs, sweeping } from '../support/histories.js'
import { skipWithoutRedis } from '../support/redis/redis-server.js'
import { suiteRedis } from '../support/redis/suite-redis.js'

/* Locks when Redis loses its state, is unreachable, or has its clock stepped. */

const locking = (connectionId: string, lockSeq: number, claim?: number): Action => ({
  type: 'lock',
  connectionId,
  memberId: null,
  location: kept('A1'),
  lockSeq,
  claim,
})
const fenceOf = (outcomes: Outcome[]) => (outcomes.at(-1) as { reply: { fence: number } }).reply.fence
const waiting = { type: 'lock', reply: { outcome: 'taken', holder: null, retryAfterMs: 5_000 } }

describe.skipIf(skipWithoutRedis)('locks in Redis', () => {
  const client = suiteRedis()

  let games = 0
  /** Opens a new room, which collects claims of locks for `claimMs`, because this Redis has just started. */
  async function opened(claimMs = 0) {
    const time = manualClock(startMs)
    const prefix = `locks${++games}`
    const backend = redisBackend({ client: client(), time, prefix })
    const resets: RoomState[] = []
    const options = {
      clock: backgroundClock,
      sweepMs: 500,
      onCommit: () => {},
      onReset: (state: RoomState) => void resets.push(state),
    }
    const first = await backend.open('r', { ...options, rules: { ...rules, claimMs } })
    await first.close()
    const room = await backend.open('r', { ...options, rules })
    return {
      time,
      resets,
      act: (...actions: Action[]) => room.act(actions),
      async state() {
        const other = await backend.open('r', { ...options, rules })
        await other.close()
        return other.state
      },
      /** Imitates a failover to a replica that has all data. */
      failOver: () => client().hSet(keysOf('r', prefix)[0]!, 'lineage', 'another'),
      [Symbol.asyncDispose]: () => backend.close(),
    }
  }

  test('locks in Redis end at a failover, and within 5 seconds only the last holder of a place can get it back, by a claim', async () => {
    await using room = await opened()
    const fence = fenceOf(
      await room.act(posting('c1', 1, null), posting('c3', 1, null, { memberId: 'bob' }), locking('c1', 1)),
    )
    await room.failOver()
    expect(await room.act(locking('c3', 1))).toEqual([waiting])
    expect((await room.state()).connections.flatMap(({ locks = [] }) => locks)).toEqual([])
    expect(await room.act(locking('c1', 2, fence))).toEqual([waiting])
    const check: Action = { type: 'checkLock', location: kept('A1'), memberId: 'ada', fence }
    expect(await room.act(check)).toEqual([{ type: 'lockChecked', isHeld: null }])
    room.time.stall(5_000)
    expect(await room.act(locking('c3', 2))).toMatchObject([
      { reply: { outcome: 'taken', holder: { memberId: 'ada' } } },
    ])
    const again = fenceOf(await room.act(locking('c1', 3)))
    expect(again).toBeGreaterThan(fence)
    expect((await room.state()).connections).toContainEqual(
      expect.objectContaining({ connectionId: 'c1', locks: [{ location: 'A1', fence: again }] }),
    )
  })

  test('locks in Redis are granted at once after a failover if the room was empty before', async () => {
    await using room = await opened()
    await room.act(posting('c1', 1, null), leaving('c1'))
    await room.failOver()
    expect(await room.act(posting('c2', 1, null), locking('c2', 1))).toMatchObject([
      {},
      { reply: { outcome: 'locked' } },
    ])
  })

  test('in a new room of a Redis that has just started, no lock is granted for 5 seconds while claims are collected', async () => {
    await using room = await opened(5_000)
    expect(await room.act(posting('c2', 1, null), locking('c2', 1, startMs * 1_000))).toMatchObject([{}, waiting])
    room.time.stall(5_000)
    await room.act(sweeping)
    expect((await room.state()).connections).toMatchObject([{ locks: [{ location: 'A1' }] }])
  })

  test('locks in Redis end 30 seconds after the last accepted post of their holder, even if Redis was unreachable meanwhile', async () => {
    await using room = await opened()
    const lease = { leaseMs: 60_000 }
    await room.act(posting('c1', 1, null, lease))
    // 25 seconds without a call count as an outage of Redis: leases begin anew, although nobody has posted.
    room.time.stall(25_000)
    expect(await room.act(locking('c1', 1))).toMatchObject([{ reply: { outcome: 'locked' } }])
    const other = posting('c2', 1, null, { memberId: 'bob' })
    room.time.stall(4_999)
    expect(await room.act(other, locking('c2', 1))).toMatchObject([{}, { reply: { outcome: 'taken' } }])
    room.time.stall(1)
    expect(await room.act(locking('c2', 2))).toMatchObject([{ reply: { outcome: 'locked' } }])
    expect(await room.act(locking('c1', 2))).toMatchObject([{ reply: { outcome: 'absent' } }])
    expect(await room.act(posting('c1', 2, 'A1', lease), locking('c1', 3))).toMatchObject([
      {},
      { reply: { outcome: 'taken', holder: { connectionId: 'c2' } } },
    ])
  })

  test('a lock in Redis lasts until 30 seconds after the last post of its holder, if that post followed an outage', async () => {
    await using room = await opened()
    await room.act(posting('c1', 1, null, { leaseMs: 60_000 }), posting('c2', 1, null, { leaseMs: 300_000 }))
    room.time.stall(40_000)
    await room.act(posting('c1', 1, null))
    room.time.stall(29_000)
    expect(await room.act(locking('c1', 1))).toMatchObject([{ reply: { outcome: 'locked' } }])
    room.time.stall(1_000)
    expect(await room.act(posting('c2', 2, 'A1'), locking('c2', 1))).toMatchObject([
      {},
      { reply: { outcome: 'locked' } },
    ])
  })

  test('locks in Redis are not prolonged by an outage, and end after 30 seconds even if the clock of Redis is stepped back', async () => {
    await using room = await opened()
    const lease = { leaseMs: 300_000 }
    await room.act(posting('c1', 1, null, lease), locking('c1', 1))
    room.time.step(-3_600_000)
    await room.act(posting('c2', 1, null, lease))
    room.time.stall(29_000)
    expect(await room.act(locking('c2', 1))).toMatchObject([{ reply: { outcome: 'taken' } }])
    room.time.stall(1_000)
    expect(await room.act(posting('c2', 2, null, lease), locking('c2', 2))).toMatchObject([
      {},
      { reply: { outcome: 'locked' } },
    ])
  })
})
