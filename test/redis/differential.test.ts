import fc from 'fast-check'
import type { Action, Commit, RoomRules, RoomState } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { redisBackend } from 'hereabouts/server/redis'
import { keysOf } from '../../src/server/backends/redis/keys.js'
import { history, kept, leaving, Play, posting, rules, startMs, sweeping, type Step } from '../support/histories.js'
import { skipWithoutRedis } from '../support/redis/redis-server.js'
import { suiteRedis } from '../support/redis/suite-redis.js'

/*
 * Runs the same history through room.ts and through the script in Redis, at the same times. Every outcome, every commit
 * and the final state must be equal. Epochs are random, and entries of one commit have no order.
 */

const byId = <T extends { connectionId: string }>(entries: readonly T[]) =>
  entries.toSorted((a, b) => (a.connectionId < b.connectionId ? -1 : 1))
const commitOf = (commit: Commit | null | undefined) =>
  commit && {
    prev: commit.prev,
    version: commit.version,
    entered: byId(commit.entered),
    changed: byId(commit.changed),
    left: byId(commit.left),
  }
const stateOf = ({ version, floor, connections, left }: RoomState) => ({
  version,
  floor,
  connections: byId(connections),
  left: byId(left),
})

describe.skipIf(skipWithoutRedis)('a room in Redis', () => {
  const client = suiteRedis()

  /** Plays a history in Redis, step by step. Periods without calls do not count as outages. */
  let games = 0
  async function game(claimsUntil?: number, own: Partial<RoomRules> = {}) {
    const time = manualClock(startMs)
    const prefix = `game${++games}`
    const backend = redisBackend({ client: client(), time, prefix })
    const commits: Commit[] = []
    const onCommit = (commit: Commit) => void commits.push(commit)
    const onReset = () => expect.unreachable('nothing was missed')
    // A Redis that has just started collects claims of locks in each new room for claimMs, which is 0 here.
    const options = { clock: time, rules: { ...rules, claimMs: 0, ...own }, sweepMs: 10_000, onCommit, onReset }
    const room = await backend.open('r', options)
    if (claimsUntil !== undefined) await client().hSet(keysOf('r', prefix)[0]!, 'claimsUntil', claimsUntil)
    return {
      async step({ afterMs, actions }: Step) {
        time.stall(afterMs)
        const outcomes = await room.act(actions)
        return { outcomes, commit: commits.pop() ?? null }
      },
      /** Returns the room as a new reader sees it. Opening a room removes expired connections, as a sweep does. */
      async state() {
        const other = await backend.open('r', options)
        await other.close()
        commits.length = 0
        return other.state
      },
      close: () => backend.close(),
    }
  }

  async function same(steps: readonly Step[], claimsUntil?: number, own: Partial<RoomRules> = {}) {
    const play = new Play(own, undefined, claimsUntil)
    const other = await game(claimsUntil, own)
    try {
      for (const step of steps) {
        const expected = play.after(step.afterMs, ...step.actions)
        const { outcomes, commit } = await other.step(step)
        expect(outcomes).toEqual(expected.outcomes)
        expect(commitOf(commit)).toEqual(commitOf(expected.commit))
      }
      play.after(0, sweeping)
      expect(stateOf(await other.state())).toEqual(stateOf(play.room.state()))
    } finally {
      await other.close()
    }
  }

  test('a room in Redis has the outcomes and state of room.ts for every history', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(history, (steps) => same(steps)),
      { numRuns: Number(process.env['RUNS'] ?? 400) },
    )
  })

  test('a room in Redis collects claims after a loss of state as room.ts does', { timeout: 60_000 }, async () => {
    const runs = { numRuns: Number(process.env['RUNS'] ?? 400) }
    await fc.assert(
      fc.asyncProperty(history, (steps) => same(steps, startMs + 5_000)),
      runs,
    )
  })

  test('a room in Redis enforces limits of connections and locks as room.ts does', { timeout: 60_000 }, async () => {
    const tight = { roomConnections: 3, memberConnections: 2, connectionLocks: 1, roomLocks: 2 }
    const claims = fc.constantFrom(undefined, startMs + 5_000)
    await fc.assert(
      fc.asyncProperty(history, claims, (steps, claimsUntil) => same(steps, claimsUntil, tight)),
      { numRuns: Number(process.env['RUNS'] ?? 200) },
    )
  })

  test('a room in Redis counts connections and locks across batches, and refuses more than their limits', async () => {
    const lock = (connectionId: string, lockSeq: number, place: string, own: object = {}): Action => ({
      type: 'lock',
      connectionId,
      memberId: null,
      location: kept(place),
      lockSeq,
      ...own,
    })
    const steps = (...actions: Action[]): Step[] => actions.map((action) => ({ afterMs: 1, actions: [action] }))
    const members = ['c1', 'c2', 'c3', 'c4'].map((id, i) => posting(id, 1, 'A1', { memberId: `member ${i}` }))
    const tight = { roomConnections: 3, connectionLocks: 2, roomLocks: 3 }
    const locks = [lock('c1', 1, 'a'), lock('c1', 2, 'b'), lock('c1', 3, 'c'), lock('c2', 1, 'c'), lock('c2', 2, 'd')]
    const again = [leaving('c1'), posting('c4', 2, 'A1', { memberId: 'member 3' }), lock('c4', 1, 'a')]
    await same(steps(...members, ...locks, ...again, members[0]!), undefined, tight)
    const claim = { claim: startMs * 1_000 }
    const claims = ['a', 'b', 'c', 'a'].map((place, i) => lock('c1', i + 1, place, claim))
    const settled = { afterMs: 6_000, actions: [sweeping] }
    await same([...steps(...members, ...claims), settled], startMs + 5_000, tight)
  })

  test('a room in Redis stores any text unchanged', async () => {
    const odd = ['[]', '{}', '{"__proto__":[]}', '1.7976931348623157e+308', '"\\n|\\u0000}{"', '"\u{1f600}"', '[[[]]]']
    const posts = odd.map((json, i): Action => {
      const location = { json, value: JSON.parse(json) as unknown }
      return {
        ...(posting('c1', i + 1, null) as Extract<Action, { type: 'post' }>),
        location,
        memberId: 'a"\\|é\u{1f600}',
      }
    })
    await same(posts.map((action) => ({ afterMs: 1, actions: [action] })))
  })

  test('a sweep in Redis uses the leases that earlier actions of the same batch have set', async () => {
    const over: Action = { type: 'shorten', connectionId: 'c1', leaseMs: 0 }
    await same([
      { afterMs: 1, actions: [posting('c1', 1, 'A1'), posting('c2', 1, 'A1')] },
      { afterMs: 1, actions: [over, sweeping, posting('c2', 2, 'B2')] },
    ])
  })

  test('a room in Redis keeps the lockSeq of a lost connection until its tombstone is purged', async () => {
    const locking = (lockSeq: number): Action => ({
      type: 'lock',
      connectionId: 'c1',
      memberId: null,
      location: kept('A1'),
      lockSeq,
    })
    const lapsed = [
      { afterMs: 1, actions: [posting('c1', 1, null), locking(4)] },
      { afterMs: 30_000, actions: [sweeping] },
    ]
    await same([...lapsed, { afterMs: 59_000, actions: [posting('c1', 2, null), locking(3), locking(5)] }])
    await same([...lapsed, { afterMs: 60_000, actions: [sweeping, posting('c1', 2, null), locking(3)] }])
  })

  test('a room in Redis never assigns a seq above the largest safe integer', async () => {
    const last = posting('c1', Number.MAX_SAFE_INTEGER, 'A1')
    const next = { ...posting('c1', 1, 'B2'), seq: undefined } as Action
    await same([
      { afterMs: 1, actions: [last] },
      { afterMs: 1, actions: [next, leaving('c1'), next] },
    ])
  })

  test('a room in Redis applies a thousand actions in one call', async () => {
    const actions = Array.from({ length: 1_000 }, (_, i) => posting(`c${i % 7}`, i + 1, `place ${i}`))
    const other = await game()
    const { outcomes } = await other.step({ afterMs: 1, actions })
    expect(outcomes).toHaveLength(1_000)
    expect((await other.state()).connections).toHaveLength(7)
    await other.close()
  })

  test('a room in Redis keeps at most a thousand tombstones of connections that no viewer saw', async () => {
    const leaves = Array.from({ length: 1_001 }, (_, i) => ({ afterMs: 1, actions: [leaving(`c${i}`)] }))
    await same([
      ...leaves,
      { afterMs: 0, actions: [posting('c0', 1, 'A1'), posting('c1', 1, 'A1')] },
      { afterMs: 60_000, actions: [sweeping] },
    ])
  })
})
