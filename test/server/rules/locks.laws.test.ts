import fc from 'fast-check'
import type { LockLocationOutput, UnlockLocationOutput } from 'hereabouts'
import type { Action } from 'hereabouts/server'
import { expect, test } from 'vitest'
import { history, kept, leaving, Play, posting, startMs, sweeping } from '../../support/histories.js'

/* Tests the rules of locks in docs/PROTOCOL.md. The member `ada` has the connections c1 and c2, the member `bob` c3. */

const micros = startMs * 1_000
type Own = { memberId?: string | null; claim?: number; takeOver?: true }
const locking = (connectionId: string, lockSeq: number, location: unknown = 'A1', own: Own = {}): Action => ({
  type: 'lock',
  connectionId,
  memberId: null,
  location: kept(location),
  lockSeq,
  ...own,
})
const unlocking = (connectionId: string, lockSeq: number, fence: number, location: unknown = 'A1'): Action => ({
  type: 'unlock',
  connectionId,
  memberId: null,
  location: kept(location),
  lockSeq,
  fence,
})
const checking = (memberId: string, fence: number): Action => ({
  type: 'checkLock',
  location: kept('A1'),
  memberId,
  fence,
})
const bob = { memberId: 'bob' }

/** A room with the connections c1 and c2 of ada and c3 of bob. */
function filled(claimsUntil?: number, rules = {}): Play {
  const play = new Play(rules, undefined, claimsUntil)
  play.after(0, posting('c1', 1, null), posting('c2', 1, null), posting('c3', 1, null, bob))
  return play
}
const replyOf = ({ outcomes }: { outcomes: object[] }) =>
  (outcomes.at(-1) as { reply: LockLocationOutput | UnlockLocationOutput }).reply
const fenceOf = (played: { outcomes: object[] }) => (replyOf(played) as { fence: number }).fence
const holders = (play: Play) =>
  Object.fromEntries(
    play.room
      .state()
      .connections.flatMap(({ connectionId, locks = [] }) => locks.map(({ location }) => [location, connectionId])),
  ) as Record<string, string>
/** Posts of all three connections, which renew their leases. */
const renewing = (seq: number) => [posting('c1', seq, null), posting('c2', seq, null), posting('c3', seq, null, bob)]

// One holder for each place

test('in every history, a place has at most one lock holder, which is a present connection', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(undefined, startMs + 5_000), (steps, claimsUntil) => {
      const play = new Play({}, undefined, claimsUntil)
      for (const { afterMs, actions } of steps) {
        play.after(afterMs, ...actions)
        const held = play.room
          .state()
          .connections.flatMap(({ locks = [] }) => locks.map(({ location }) => JSON.stringify(location)))
        expect(new Set(held).size).toBe(held.length)
      }
    }),
    { numRuns: 40 },
  )
})

test('a lock call for a held place is answered `taken` with the holder, even when another connection of its member holds it', () => {
  const play = filled()
  expect(replyOf(play.after(0, locking('c1', 1)))).toMatchObject({ outcome: 'locked' })
  const holder = { connectionId: 'c1', memberId: 'ada' }
  expect(replyOf(play.after(0, locking('c3', 1)))).toEqual({ outcome: 'taken', holder })
  expect(replyOf(play.after(0, locking('c2', 1)))).toEqual({ outcome: 'taken', holder })
  expect(replyOf(play.after(0, locking('c3', 2, 'B2')))).toMatchObject({ outcome: 'locked' })
})

test('a lock call of a connection that is absent or leaving is answered `absent`', () => {
  const play = filled()
  expect(replyOf(play.after(0, locking('c9', 1)))).toEqual({ outcome: 'absent' })
  play.after(0, leaving('c1', { graceMs: 3_000 }))
  expect(replyOf(play.after(0, locking('c1', 1)))).toEqual({ outcome: 'absent' })
  expect(holders(play)).toEqual({})
})

test('a lock or unlock call for the connection of another member is refused', () => {
  const play = filled()
  const fence = fenceOf(play.after(0, locking('c1', 1)))
  expect(play.after(0, locking('c1', 2, 'B2', bob)).outcomes).toEqual([{ type: 'owned' }])
  const unlock = { ...unlocking('c1', 2, fence), memberId: 'bob' } as Action
  expect(play.after(0, unlock).outcomes).toEqual([{ type: 'owned' }])
  expect(holders(play)).toEqual({ A1: 'c1' })
})

// The end of a lock

test('the locks of a connection end in the commit in which it leaves, expires or is revoked', () => {
  for (const [afterMs, action] of [
    [0, leaving('c1')],
    [30_000, sweeping],
    [0, { type: 'revoke', memberId: 'ada' }],
  ] as [number, Action][]) {
    const play = filled()
    play.after(0, locking('c1', 1))
    expect(play.after(afterMs, action).commit!.left.map(({ connectionId }) => connectionId)).toContain('c1')
    expect(holders(play)).toEqual({})
    play.after(0, posting('c4', 1, null, bob))
    expect(replyOf(play.after(0, locking('c4', 1)))).toMatchObject({ outcome: 'locked' })
  }
})

test('a lock ends 30 seconds after the last accepted post of its holder, whatever the lease is', () => {
  const lease = { leaseMs: 300_000 }
  const play = new Play()
  play.after(0, posting('c1', 1, null, lease))
  play.after(10_000, locking('c1', 1))
  play.after(10_000, posting('c1', 2, null, lease))
  // A stale post does not prolong the lock.
  play.after(10_000, posting('c1', 1, null, lease))
  expect(play.after(19_999, sweeping).commit).toBe(null)
  const { commit } = play.after(1, sweeping)
  expect(commit!.changed).toEqual([{ connectionId: 'c1', locks: [] }])
  expect(commit!.left).toEqual([])
})

test('a place whose lock expired can be locked without a sweep, and a post of the former holder does not restore the lock', () => {
  const lease = { leaseMs: 300_000 }
  const play = filled()
  play.after(0, posting('c1', 2, null, lease), posting('c3', 2, null, { ...bob, ...lease }))
  play.after(0, locking('c1', 1))
  expect(replyOf(play.after(30_000, posting('c3', 3, null, { ...bob, ...lease }), locking('c3', 1)))).toMatchObject({
    outcome: 'locked',
  })
  play.after(0, posting('c1', 3, null, lease))
  expect(holders(play)).toEqual({ A1: 'c3' })
})

test('a lock call of a connection that has not posted for 30 seconds is answered `absent`', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, null, { leaseMs: 300_000 }))
  expect(replyOf(play.after(30_000, locking('c1', 1)))).toEqual({ outcome: 'absent' })
  expect(replyOf(play.after(0, posting('c1', 2, null, { leaseMs: 300_000 }), locking('c1', 2)))).toMatchObject({
    outcome: 'locked',
  })
})

test('a lock ends 30 seconds after the last accepted post of its holder, even when a stall of the process extends leases', () => {
  const { room } = filled()
  const at = (realMs: number, stalledMs: number, ...actions: Action[]) =>
    room.act(actions, startMs + realMs - stalledMs, (startMs + realMs) * 1_000, stalledMs)
  at(0, 0, locking('c1', 1))
  // The process has stalled for 15 seconds meanwhile: leases last longer, locks do not.
  expect(at(29_999, 15_000, sweeping).commit).toBe(null)
  expect(at(30_000, 15_000, sweeping).commit).toMatchObject({ changed: [{ connectionId: 'c1', locks: [] }], left: [] })
  expect(replyOf(at(30_000, 15_000, locking('c1', 2)))).toEqual({ outcome: 'absent' })
  const again = at(31_000, 15_000, posting('c1', 2, null), locking('c1', 3))
  expect(replyOf(again)).toMatchObject({ outcome: 'locked' })
  at(41_000, 15_000, posting('c1', 3, null))
  const asked = at(70_999, 15_000, posting('c3', 2, null, bob), locking('c3', 1))
  expect(replyOf(asked)).toMatchObject({ outcome: 'taken' })
  expect(replyOf(at(71_000, 15_000, locking('c3', 2)))).toMatchObject({ outcome: 'locked' })
})

test('a post with an equal seq by a leaving connection does not prolong its locks', () => {
  const play = filled()
  play.after(0, locking('c1', 1), leaving('c1', { graceMs: 3_000 }))
  play.after(2_000, posting('c1', 1, null))
  play.after(1_000, sweeping)
  expect(holders(play)).toEqual({})
})

// Fences, and the order of lock calls

test('in every history, the fences of a place strictly increase, and a repeated lock call gets the same fence', () => {
  fc.assert(
    fc.property(history, fc.constantFrom(undefined, startMs + 5_000), (steps, claimsUntil) => {
      const play = new Play({}, undefined, claimsUntil)
      const last = new Map<string, { fence: number; connectionId: string }>()
      for (const { afterMs, actions } of steps) {
        const { outcomes } = play.after(afterMs, ...actions)
        for (const [i, outcome] of outcomes.entries()) {
          const action = actions[i]!
          if (action.type !== 'lock' || outcome.type !== 'lock' || outcome.reply.outcome !== 'locked') continue
          const { fence } = outcome.reply
          const before = last.get(action.location.json)
          if (before?.fence !== fence) expect(fence).toBeGreaterThan(before?.fence ?? 0)
          else expect(action.connectionId).toBe(before.connectionId)
          last.set(action.location.json, { fence, connectionId: action.connectionId })
        }
      }
    }),
    { numRuns: 40 },
  )
})

test('a place that is locked twice in one commit gets two different fences', () => {
  const play = filled()
  const { outcomes } = play.after(0, locking('c1', 1), leaving('c1'), locking('c3', 1))
  const [first, , second] = outcomes as { reply: { fence: number } }[]
  expect(second!.reply.fence).toBeGreaterThan(first!.reply.fence)
  const next = fenceOf(play.after(0, unlocking('c3', 2, second!.reply.fence), locking('c2', 1)))
  expect(next).toBeGreaterThan(second!.reply.fence)
})

test('the fence of a lock is the version of its commit, which shows the lock to viewers', () => {
  const play = filled()
  const { commit, outcomes } = play.after(7, locking('c1', 1))
  const locks = [{ location: 'A1', fence: commit!.version }]
  expect(outcomes).toEqual([{ type: 'lock', reply: { outcome: 'locked', fence: commit!.version } }])
  expect(commit!.changed).toEqual([{ connectionId: 'c1', locks }])
  expect(play.room.state().connections[0]).toMatchObject({ at: commit!.version, locks })
})

test('a lock or unlock call with a lockSeq below the last one of its connection is answered `stale` and changes no lock', () => {
  const play = filled()
  const fence = fenceOf(play.after(0, locking('c1', 3)))
  expect(replyOf(play.after(0, unlocking('c1', 2, fence)))).toEqual({ outcome: 'stale' })
  expect(replyOf(play.after(0, unlocking('c1', 4, fence)))).toEqual({ outcome: 'unlocked' })
  expect(replyOf(play.after(0, locking('c1', 3)))).toEqual({ outcome: 'stale' })
  // A lock request that a proxy repeats after the unlock takes no place either.
  play.after(0, locking('c1', 5), unlocking('c1', 6, fence + 1))
  const again = fenceOf(play.after(0, locking('c1', 7)))
  expect(fenceOf(play.after(0, locking('c1', 7)))).toBe(again)
  play.after(0, { type: 'release', location: kept('A1') })
  expect(replyOf(play.after(0, locking('c1', 7)))).toEqual({ outcome: 'stale' })
  expect(holders(play)).toEqual({})
})

test('a late lock call of a connection that was lost and has returned is answered `stale` for a minute after the loss', () => {
  for (const after of [0, 29_000, 59_000]) {
    const play = filled()
    play.after(0, locking('c1', 4))
    play.after(30_000, sweeping)
    expect(replyOf(play.after(after, posting('c1', 2, null), locking('c1', 3)))).toEqual({ outcome: 'stale' })
    expect(holders(play)).toEqual({})
    expect(replyOf(play.after(0, locking('c1', 5)))).toMatchObject({ outcome: 'locked' })
  }
  const play = filled()
  play.after(0, locking('c1', 4))
  play.after(30_000, sweeping)
  expect(replyOf(play.after(60_000, sweeping, posting('c1', 2, null), locking('c1', 3)))).toMatchObject({
    outcome: 'locked',
  })
})

// Unlock calls

test('an unlock call with a wrong fence or connection changes nothing and is answered `gone` with the holder', () => {
  const play = filled()
  const fence = fenceOf(play.after(0, locking('c3', 1)))
  const holder = { connectionId: 'c3', memberId: 'bob' }
  for (const other of [fence - 1, fence + 1, 0])
    expect(play.after(0, unlocking('c3', 2, other))).toMatchObject({
      outcomes: [{ reply: { outcome: 'gone', holder } }],
      commit: null,
    })
  expect(replyOf(play.after(0, unlocking('c1', 2, fence)))).toEqual({ outcome: 'gone', holder })
  expect(replyOf(play.after(0, unlocking('c1', 3, fence, 'B2')))).toEqual({ outcome: 'gone' })
  expect(replyOf(play.after(0, unlocking('c9', 3, fence)))).toEqual({ outcome: 'gone', holder })
  expect(replyOf(play.after(0, unlocking('c3', 3, fence)))).toEqual({ outcome: 'unlocked' })
  expect(holders(play)).toEqual({})
})

// Moving a lock between connections of one member

test('a lock call gets a place from a leaving connection of the same member, or with takeOver from any connection of that member', () => {
  const play = filled()
  const first = fenceOf(play.after(0, locking('c1', 1)))
  expect(replyOf(play.after(0, locking('c3', 1, 'A1', { takeOver: true })))).toMatchObject({ outcome: 'taken' })
  const second = fenceOf(play.after(0, locking('c2', 1, 'A1', { takeOver: true })))
  expect(second).toBeGreaterThan(first)
  play.after(0, leaving('c2', { graceMs: 3_000 }))
  expect(replyOf(play.after(0, locking('c3', 2)))).toMatchObject({ outcome: 'taken' })
  const { commit, outcomes } = play.after(0, locking('c1', 2))
  expect(outcomes).toMatchObject([{ reply: { outcome: 'locked' } }])
  expect(commit!.changed).toEqual([
    { connectionId: 'c2', locks: [] },
    { connectionId: 'c1', locks: [{ location: 'A1', fence: commit!.version }] },
  ])
})

// Claims to locks after the server lost its state

const claim = micros - 1_000_000
const until = startMs + 5_000

test('while lock claims are collected, lock calls are answered `taken` without a holder, and a check of a lock gives null', () => {
  const play = filled(until)
  const taken = { outcome: 'taken', holder: null, retryAfterMs: 4_000 }
  expect(replyOf(play.after(1_000, locking('c1', 1)))).toEqual(taken)
  expect(replyOf(play.after(0, locking('c1', 2, 'A1', { claim })))).toEqual(taken)
  expect(play.after(0, checking('ada', claim)).outcomes).toEqual([{ type: 'lockChecked', isHeld: null }])
  expect(holders(play)).toEqual({})
})

test('when the collection of lock claims ends, the connection with the highest claim gets the place', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ of: fc.constantFrom('c1', 'c2', 'c3'), fence: fc.nat(9) }), { minLength: 1 }),
      (claims) => {
        const play = filled(until)
        const latest = new Map<string, number>()
        for (const [i, { of, fence }] of claims.entries()) {
          play.after(1, locking(of, i, 'A1', { claim: fence }))
          latest.set(of, fence)
        }
        expect(play.after(5_000, sweeping).commit!.changed).toHaveLength(1)
        const winner = holders(play)['A1']!
        expect(latest.get(winner)).toBe(Math.max(...latest.values()))
      },
    ),
  )
})

test('a granted lock claim gets a fence above the claimed fence, even when the clock is behind the claimed fence', () => {
  const play = filled(until)
  const ahead = micros + 50_000_000
  play.after(0, locking('c1', 1, 'A1', { claim: ahead }))
  const { commit } = play.after(5_000, sweeping)
  expect(commit!.changed).toEqual([{ connectionId: 'c1', locks: [{ location: 'A1', fence: ahead + 1 }] }])
  // Later grants get fences above that fence.
  expect(fenceOf(play.after(0, locking('c3', 1, 'B2')))).toBe(ahead + 2)
})

test('a lock claim whose fence is more than a minute ahead of the clock is ignored', () => {
  const play = filled(until)
  play.after(0, locking('c1', 1, 'A1', { claim: micros + 70_000_000 }))
  play.after(5_000, sweeping)
  expect(holders(play)).toEqual({})
})

test('a lock claim ends when its connection leaves or unlocks the place, or when the place is released', () => {
  const play = filled(until)
  play.after(0, locking('c1', 1, 'A1', { claim }), locking('c2', 1, 'B2', { claim }), locking('c3', 1, 'C3', { claim }))
  expect(replyOf(play.after(0, leaving('c1'), unlocking('c2', 2, claim, 'B2')))).toEqual({ outcome: 'unlocked' })
  play.after(0, { type: 'release', location: kept('C3') })
  play.after(5_000, sweeping)
  expect(holders(play)).toEqual({})
})

test('a lock claim has no effect when no claims are collected: a lock that ended within an epoch is not restored', () => {
  const play = filled()
  const fence = fenceOf(play.after(0, locking('c1', 1)))
  play.after(0, { type: 'release', location: kept('A1') })
  play.after(0, locking('c3', 1))
  expect(replyOf(play.after(0, locking('c1', 2, 'A1', { claim: fence })))).toMatchObject({ outcome: 'taken' })
})

// Checks of a lock before a save

test('checkLock is true only for the member that holds the place with that fence, until 30 seconds without a post', () => {
  const play = filled()
  const fence = fenceOf(play.after(0, locking('c1', 1)))
  const isHeld = (memberId: string, of: number) => play.after(0, checking(memberId, of)).outcomes[0]
  expect(isHeld('ada', fence)).toEqual({ type: 'lockChecked', isHeld: true })
  expect(isHeld('bob', fence)).toEqual({ type: 'lockChecked', isHeld: false })
  expect(isHeld('ada', fence - 1)).toEqual({ type: 'lockChecked', isHeld: false })
  play.after(30_000)
  expect(isHeld('ada', fence)).toEqual({ type: 'lockChecked', isHeld: false })
})

// The limits of locks, and their release by the app

test('a lock call is answered `full` above 8 locks of a connection or above roomLocks in the room', () => {
  const play = filled(undefined, { roomLocks: 10 })
  for (let i = 0; i < 8; i++) expect(replyOf(play.after(0, locking('c1', i, i)))).toMatchObject({ outcome: 'locked' })
  expect(replyOf(play.after(0, locking('c1', 8, 8)))).toEqual({ outcome: 'full' })
  expect(replyOf(play.after(0, locking('c1', 9, 0)))).toMatchObject({ outcome: 'locked' })
  for (let i = 8; i < 10; i++) play.after(0, locking('c3', i, i))
  expect(replyOf(play.after(0, locking('c3', 10, 10)))).toEqual({ outcome: 'full' })
  play.after(0, leaving('c1'))
  expect(replyOf(play.after(0, locking('c3', 11, 10)))).toMatchObject({ outcome: 'locked' })
})

test('a lock claim of a connection that already claims 8 places is answered `full`', () => {
  const play = filled(until)
  for (let i = 0; i < 8; i++) play.after(0, locking('c1', i, i, { claim }))
  expect(replyOf(play.after(0, locking('c1', 8, 8, { claim })))).toEqual({ outcome: 'full' })
  expect(replyOf(play.after(0, locking('c1', 9, 0, { claim })))).toMatchObject({ outcome: 'taken' })
})

test('a release ends the lock of a place, whichever connection holds it', () => {
  const play = filled()
  const release: Action = { type: 'release', location: kept('A1') }
  play.after(0, ...renewing(2), locking('c1', 1))
  expect(play.after(0, release)).toMatchObject({
    outcomes: [{ type: 'released', wasHeld: true }],
    commit: { changed: [{ connectionId: 'c1', locks: [] }] },
  })
  expect(play.after(0, release)).toMatchObject({ outcomes: [{ wasHeld: false }], commit: null })
})
