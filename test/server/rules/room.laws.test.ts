import fc from 'fast-check'
import type { Connection } from 'hereabouts'
import type { Commit } from 'hereabouts/server'
import { expect, test } from 'vitest'
import { RoomMachine } from '../../../src/server/rules/room.js'
import { activeAtOf, withChange } from '../../../src/shared/speaking.js'
import { history, kept, leaving, Play, posting, rules, startMs, step, sweeping } from '../../support/histories.js'

const outcomeOf = ({ outcomes }: { outcomes: object[] }) => (outcomes[0] as { outcome?: string; type: string }).outcome
const seqOf = ({ outcomes }: { outcomes: object[] }) => (outcomes[0] as { seq?: number }).seq

// PROTOCOL rule 1: the order of posts

test('PROTOCOL rule 1: a post is applied exactly when its seq is above the stored seq of its connection', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 }), (seqs) => {
      const play = new Play()
      let stored = -1
      for (const [i, seq] of seqs.entries()) {
        const reply = play.after(1, posting('c1', seq, i))
        if (seq > stored) {
          expect(outcomeOf(reply)).toBe('applied')
          expect(play.places).toEqual({ c1: i })
          stored = seq
        } else expect(outcomeOf(reply)).toBe(seq === stored ? 'same' : 'stale')
        expect(seqOf(reply)).toBe(stored)
      }
    }),
  )
})

test('PROTOCOL rule 1: posts of a connection in any order and with any duplicates converge to the highest seq', () => {
  const shuffled = fc
    .array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 40 })
    .filter((seqs) => seqs.length > 0)
  fc.assert(
    fc.property(shuffled, (seqs) => {
      const play = new Play()
      for (const seq of seqs) play.after(1, posting('c1', seq, `place ${seq}`))
      expect(play.places).toEqual({ c1: `place ${Math.max(...seqs)}` })
    }),
  )
})

test('PROTOCOL rule 1: a post without a seq gets the seq after the stored one', () => {
  const play = new Play()
  expect(seqOf(play.after(0, posting('c1', undefined, 'A1')))).toBe(1)
  expect(seqOf(play.after(0, posting('c1', undefined, 'B2')))).toBe(2)
  expect(seqOf(play.after(0, posting('c1', 7, 'C3')))).toBe(7)
  expect(seqOf(play.after(0, posting('c1', undefined, 'D4')))).toBe(8)
})

test('PROTOCOL rule 1: after the lease expired, an equal seq is answered `expired`, and a higher seq is applied', () => {
  const play = new Play()
  play.after(0, posting('c1', 3, 'A1'))
  expect(outcomeOf(play.after(30_000, posting('c1', 3, 'A1')))).toBe('expired')
  expect(play.places).toEqual({})
  expect(outcomeOf(play.after(0, posting('c1', 2, 'A1')))).toBe('stale')
  expect(outcomeOf(play.after(0, posting('c1', 4, 'A1')))).toBe('applied')
  expect(play.places).toEqual({ c1: 'A1' })
})

// PROTOCOL rule 2: connections that have left

test('PROTOCOL rule 2: a post that arrives after its connection left is answered `left` and changes nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 59_999 }), fc.option(fc.nat(50), { nil: undefined }), (lateMs, seq) => {
      const play = new Play()
      play.after(0, posting('c1', 5, 'A1'), leaving('c1'))
      play.after(lateMs, sweeping)
      expect(outcomeOf(play.after(0, posting('c1', seq, 'B2')))).toBe('left')
      expect(play.places).toEqual({})
    }),
  )
})

test('PROTOCOL rule 2: after a leave that overtook the first post, the post is answered `left` for a minute', () => {
  const play = new Play()
  expect(play.after(0, leaving('c1'))).toMatchObject({ outcomes: [{ type: 'left' }], commit: null })
  play.after(59_999, sweeping)
  expect(outcomeOf(play.after(0, posting('c1', 1, 'A1')))).toBe('left')
})

test('PROTOCOL rule 2: a tombstone is purged after a minute and raises the floor to its version', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1'))
  const left = play.after(1_000, leaving('c1'))
  const before = play.room.state().floor
  play.after(59_999, sweeping)
  expect(play.room.state()).toMatchObject({ floor: before, left: [{ connectionId: 'c1' }] })
  play.after(1, sweeping)
  expect(play.room.state()).toMatchObject({ floor: left.commit!.version, left: [] })
  expect(outcomeOf(play.after(0, posting('c1', 1, 'A1')))).toBe('applied')
})

test('PROTOCOL rule 2: tombstones of connections that no viewer saw do not raise the floor and are limited to a thousand', () => {
  const play = new Play()
  const { floor } = play.room.state()
  for (let i = 0; i <= 1_000; i++) play.after(0, leaving(`c${i}`))
  expect(play.room.state().left).toEqual([])
  // The oldest tombstone was evicted; the newest thousand are kept.
  expect(outcomeOf(play.after(0, posting('c0', 1, 'A1')))).toBe('applied')
  expect(outcomeOf(play.after(0, posting('c1', 1, 'A1')))).toBe('left')
  play.after(60_000, sweeping)
  expect(play.room.state().floor).toBe(floor)
})

// PROTOCOL rule 3: grace periods

test('PROTOCOL rule 3: a grace period only shortens the lease, and a connection that expires in the grace period has `left`', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1', { leaseMs: 5_000 }))
  expect(play.after(0, leaving('c1', { graceMs: 3_000 }))).toMatchObject({
    outcomes: [{ type: 'leaving' }],
    commit: null,
  })
  expect(play.after(2_999, sweeping).commit).toBe(null)
  expect(play.after(1, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1', reason: 'left' }] })
  expect(outcomeOf(play.after(0, posting('c1', 9, 'A1')))).toBe('left')
  const other = new Play()
  other.after(0, posting('c1', 1, 'A1', { leaseMs: 1_000 }), leaving('c1', { graceMs: 3_000 }))
  expect(other.after(1_000, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1' }] })
})

test('PROTOCOL rule 3: within the grace period a post with a higher seq undoes the leave, and a post with an equal seq does not', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1'), leaving('c1', { seq: 1, graceMs: 3_000 }))
  expect(outcomeOf(play.after(1_000, posting('c1', 1, 'A1')))).toBe('same')
  expect(outcomeOf(play.after(1_000, posting('c1', 2, 'A1')))).toBe('same')
  expect(play.after(29_999, sweeping).commit).toBe(null)
  const other = new Play()
  other.after(0, posting('c1', 1, 'A1'), leaving('c1', { seq: 1, graceMs: 3_000 }))
  other.after(1_000, posting('c1', 1, 'A1'))
  expect(other.after(2_000, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1', reason: 'left' }] })
})

test('PROTOCOL rule 3: a post that arrives after a leave with the same seq does not undo the leave', () => {
  const play = new Play()
  play.after(0, posting('c1', 4, 'A1'))
  play.after(0, leaving('c1', { seq: 5, graceMs: 3_000 }))
  expect(outcomeOf(play.after(10, posting('c1', 5, 'B2')))).toBe('same')
  expect(play.after(3_000, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1' }] })
})

test('PROTOCOL rule 3: a leave with a seq below that of the last post changes nothing', () => {
  const play = new Play()
  play.after(0, posting('c1', 6, 'A1'))
  play.after(0, leaving('c1', { seq: 5, graceMs: 3_000 }))
  expect(play.after(29_999, sweeping).commit).toBe(null)
})

// PROTOCOL rule 4: versions

test('PROTOCOL rule 4: versions strictly increase with any clock, and each commit follows the previous one', () => {
  fc.assert(
    fc.property(history, fc.array(fc.integer({ min: -5_000_000, max: 5_000_000 })), (steps, skews) => {
      const room = new RoomMachine('epoch-aaaaa', startMs * 1_000, rules)
      let { version } = room.state()
      let now = startMs
      steps.forEach(({ afterMs, actions }, i) => {
        now += afterMs
        const { commit } = room.act(actions, now, now * 1_000 + (skews[i] ?? 0))
        if (!commit) return expect(room.state().version).toBe(version)
        expect(commit.prev).toBe(version)
        expect(commit.version).toBeGreaterThan(version)
        expect(Number.isSafeInteger(commit.version)).toBe(true)
        version = commit.version
        expect(room.state().version).toBe(version)
      })
    }),
  )
})

test('PROTOCOL rule 4: a version is the time in microseconds, or one more than the last version when the clock lags', () => {
  const play = new Play()
  const { commit } = play.after(5, posting('c1', 1, 'A1'))
  expect(commit!.version).toBe((startMs + 5) * 1_000)
  expect(play.after(0, posting('c1', 2, 'B2')).commit!.version).toBe((startMs + 5) * 1_000 + 1)
})

test('PROTOCOL rule 4: one batch makes one commit with one entry for each connection', () => {
  fc.assert(
    fc.property(history, (steps) => {
      for (const { commit } of new Play().all(steps)) {
        if (!commit) continue
        const ids = [...commit.entered, ...commit.changed, ...commit.left].map(({ connectionId }) => connectionId)
        expect(new Set(ids).size).toBe(ids.length)
      }
    }),
  )
})

// PROTOCOL rule 6: posts that change nothing

test('PROTOCOL rule 6: a post that changes nothing makes no commit, stores its seq and renews the lease', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, { row: 4 }))
  const again = play.after(20_000, posting('c1', 2, { row: 4 }))
  expect(again).toMatchObject({ outcomes: [{ outcome: 'same', seq: 2 }], commit: null })
  expect(outcomeOf(play.after(0, posting('c1', 1, 'elsewhere')))).toBe('stale')
  expect(play.after(29_999, sweeping).commit).toBe(null)
  expect(play.after(1, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1', reason: 'lost' }] })
})

test('PROTOCOL rule 6: a post without a profile or an activity keeps the stored one', () => {
  const play = new Play()
  play.after(
    0,
    posting('c1', 1, 'A1', { profile: { json: '{"name":"Ada"}', value: { name: 'Ada' } }, activity: 'idle' }),
  )
  const { commit } = play.after(0, posting('c1', 2, 'B2'))
  expect(commit!.changed).toEqual([{ connectionId: 'c1', location: 'B2' }])
  expect(play.room.state().connections[0]).toMatchObject({ profile: { name: 'Ada' }, activity: 'idle', location: 'B2' })
})

// PROTOCOL rule 7: leases

test('PROTOCOL rule 7: without a post a connection is present exactly until its lease expires', () => {
  fc.assert(
    fc.property(fc.integer({ min: 5_000, max: 300_000 }), (leaseMs) => {
      const play = new Play()
      play.after(0, posting('c1', 1, 'A1', { leaseMs }))
      expect(play.after(leaseMs - 1, sweeping).commit).toBe(null)
      expect(play.after(1, sweeping).commit).toMatchObject({ left: [{ connectionId: 'c1', reason: 'lost' }] })
    }),
  )
})

test('PROTOCOL rule 7: a post with an equal seq renews the lease', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1'))
  for (let beat = 0; beat < 20; beat++) {
    expect(outcomeOf(play.after(10_000, posting('c1', 1, 'A1')))).toBe('same')
    expect(play.after(0, sweeping).commit).toBe(null)
  }
})

test('PROTOCOL rule 7: a closed stream shortens the lease of its connection, and never lengthens it', () => {
  const shorten = { type: 'shorten', connectionId: 'c1', leaseMs: 15_000 } as const
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1'))
  play.after(1_000, shorten)
  expect(play.after(14_999, sweeping).commit).toBe(null)
  expect(play.after(1, sweeping).commit).toMatchObject({ left: [{ reason: 'lost' }] })
  const near = new Play()
  near.after(0, posting('c1', 1, 'A1'))
  near.after(29_000, shorten)
  expect(near.after(1_000, sweeping).commit).toMatchObject({ left: [{ reason: 'lost' }] })
})

test('a sweep at the time of nextLeaseEnd always moves nextLeaseEnd forward, until no lease is left', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const play = new Play()
      play.all(steps)
      for (let turns = 0; play.room.nextLeaseEnd !== Infinity; turns++) {
        const end = play.room.nextLeaseEnd
        play.after(Math.max(0, end - play.now), sweeping)
        expect(play.room.nextLeaseEnd).toBeGreaterThan(end)
        expect(turns).toBeLessThan(100)
      }
      expect(play.places).toEqual({})
    }),
  )
})

// Ownership of connections and their maximum number

test("a post or leave for another member's connection is refused, whether the connection is present or gone", () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1', { memberId: 'ada' }))
  expect(play.after(0, posting('c1', 2, 'B2', { memberId: 'bob' }))).toMatchObject({ outcomes: [{ type: 'owned' }] })
  expect(play.after(0, leaving('c1', { memberId: 'bob' }))).toMatchObject({ outcomes: [{ type: 'owned' }] })
  expect(play.places).toEqual({ c1: 'A1' })
  play.after(0, leaving('c1', { memberId: 'ada' }))
  expect(play.after(0, posting('c1', 3, 'B2', { memberId: 'bob' }))).toMatchObject({ outcomes: [{ type: 'owned' }] })
})

test('a post that is authorized by its connectionKey alone keeps the stored member of the connection', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1', { memberId: 'ada' }))
  const reply = play.after(0, posting('c1', 2, 'B2', { memberId: 'derived', owned: false }))
  expect(reply).toMatchObject({ outcomes: [{ outcome: 'applied', memberId: 'ada' }] })
})

test('a new connection above the maximum of its room, or of its member in the room, is refused as `full`', () => {
  const play = new Play({ roomConnections: 3, memberConnections: 2 })
  play.after(0, posting('c1', 1, 'A1'), posting('c2', 1, 'A1'))
  expect(play.after(0, posting('c3', 1, 'A1'))).toMatchObject({
    outcomes: [{ type: 'full', of: 'member' }],
    commit: null,
  })
  play.after(0, posting('c4', 1, 'A1', { memberId: 'bob' }))
  expect(play.after(0, posting('c5', 1, 'A1', { memberId: 'cy' }))).toMatchObject({
    outcomes: [{ type: 'full', of: 'room' }],
  })
  play.after(0, leaving('c1'))
  expect(outcomeOf(play.after(0, posting('c3', 1, 'A1')))).toBe('applied')
})

test('revoking a member removes their connections, and later posts of these connections are answered `left`', () => {
  const play = new Play()
  play.after(0, posting('c1', 1, 'A1'), posting('c2', 1, 'A1'), posting('c3', 1, 'A1', { memberId: 'bob' }))
  const { commit } = play.after(0, { type: 'revoke', memberId: 'ada' })
  expect(commit!.left.map(({ connectionId, reason }) => [connectionId, reason])).toEqual([
    ['c1', 'revoked'],
    ['c2', 'revoked'],
  ])
  expect(outcomeOf(play.after(0, posting('c1', 2, 'A1')))).toBe('left')
})

test('two rooms that get the same actions at the same times make the same commits', () => {
  fc.assert(
    fc.property(history, (steps) => {
      expect(new Play().all(steps)).toEqual(new Play().all(steps))
    }),
  )
})

/** Applies a change of a commit to a connection. Commits carry whole presence values, not differences. */
const committed = (known: Connection, change: Commit['changed'][number], at: number) =>
  withChange(known, { ...change, at, ...(change.presence && { presenceReset: true }) })

test('the state of a room can be rebuilt from its commits alone', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const play = new Play()
      const seen = new Map<string, Connection>()
      for (const { commit } of play.all(steps)) {
        for (const { connectionId } of commit?.left ?? []) seen.delete(connectionId)
        for (const connection of commit?.entered ?? []) seen.set(connection.connectionId, connection)
        for (const change of commit?.changed ?? [])
          seen.set(change.connectionId, committed(seen.get(change.connectionId)!, change, commit!.version))
      }
      const expected = Object.fromEntries(play.room.state().connections.map((each) => [each.connectionId, each]))
      expect(Object.fromEntries(seen)).toEqual(expected)
    }),
  )
})

// The connection that was used last

test('a connection counts as used when it enters, moves, becomes active or posts `used`, and for no other reason', () => {
  const play = new Play()
  const micros = () => play.now * 1_000
  const activeAt = () => play.room.state().connections.map((each) => activeAtOf(each))[0]
  play.after(0, posting('c1', 1, 'A1', { activity: 'active' }))
  const entered = activeAt()
  const unused: object[] = [{ activity: 'idle' }, { activity: 'away' }, { profile: kept({ name: 'Ada' }) }, {}]
  unused.forEach((own, i) => {
    play.after(100, posting('c1', i + 2, 'A1', own))
    expect(activeAt()).toBe(entered)
  })
  play.after(100, posting('c1', 5, 'A1', { used: true }))
  expect(activeAt(), 'a stale post does not count as use').toBe(entered)
  const used: [location: string, own: object][] = [
    ['A1', { activity: 'active' }],
    ['A1', { used: true }],
    ['B2', {}],
  ]
  used.forEach(([location, own], i) => {
    play.after(100, posting('c1', i + 6, location, own))
    expect(activeAt()).toBe(micros())
  })
})

test('activeAgoMs sets the time of last use when a connection enters, and is ignored once the connection is present', () => {
  const play = new Play()
  const { commit } = play.after(0, posting('c1', 1, 'A1', { activeAgoMs: 5_000 }))
  expect(commit!.entered[0]).toMatchObject({ at: commit!.version, activeAt: commit!.version - 5_000_000 })
  const moved = play.after(100, posting('c1', 2, 'B2', { activeAgoMs: 5_000 }))
  expect(play.room.state().connections[0]).not.toHaveProperty('activeAt')
  expect(moved.commit!.changed).toEqual([{ connectionId: 'c1', location: 'B2' }])
})

test('a post without a seq after the seq 2^53 - 1, the last safe integer, is answered `stale` and changes nothing', () => {
  const play = new Play()
  const last = Number.MAX_SAFE_INTEGER
  play.after(1, posting('c1', last, 'A1'))
  const { outcomes, commit } = play.after(1, Object.assign(posting('c1', 1, 'B2'), { seq: undefined }))
  expect(outcomes).toMatchObject([{ outcome: 'stale', seq: last }])
  expect(commit).toBe(null)
})
