import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Announced } from '../../../../src/server/backends/redis/script-codec.js'
import { CommitOrder } from '../../../../src/server/backends/redis/commit-order.js'

/* CommitOrder sorts the commits that Redis announces. Announcements may be late, doubled, out of order or missing. */

const commit = (prev: number, version: number, epoch = 'a'): Announced => ({
  epoch,
  prev,
  version,
  open: () => ({ epoch, prev, version, entered: [], changed: [], left: [] }),
})
const chainOf = (length: number) => Array.from({ length }, (_, i) => commit(i, i + 1))
const versions = (commits: Announced[]) => commits.map(({ version }) => version)

/** For each commit, the times at which its announcement is delivered: none, one or several. */
const deliveries = fc.array(fc.array(fc.nat(1_000), { maxLength: 3 }), { minLength: 1, maxLength: 20 })
const delivered = (times: number[][]) => {
  const all = chainOf(times.length)
  return times.flatMap((at, i) => at.map((when) => ({ when, commit: all[i]! }))).toSorted((a, b) => a.when - b.when)
}

test('commits are delivered in order, once each, up to the first missing commit', () => {
  fc.assert(
    fc.property(deliveries, (times) => {
      const chain = new CommitOrder({ epoch: 'a', version: 0 })
      const shown = delivered(times).flatMap(({ commit }) => versions(chain.take(commit)))
      const hole = times.findIndex((at) => at.length === 0)
      const whole = hole === -1 ? times.length : hole
      expect(shown).toEqual(Array.from({ length: whole }, (_, i) => i + 1))
      expect(chain.isBehind).toBe(times.some((at, i) => i >= whole && at.length > 0))
    }),
  )
})

test('after a full read of the room, all later commits are delivered in order and once each', () => {
  fc.assert(
    fc.property(deliveries, fc.nat(20), fc.nat(20), (times, read, after) => {
      const coming = delivered(times)
      const chain = new CommitOrder({ epoch: 'a', version: 0 })
      const split = Math.min(after, coming.length)
      for (const { commit } of coming.slice(0, split)) chain.take(commit)
      const before = chain.head.version
      const readAt = Math.min(read, times.length)
      const following = chain.reset({ epoch: 'a', version: readAt })
      if (readAt <= before) expect(following).toBe(null)
      else {
        const heard = new Set(coming.slice(0, split).map(({ commit }) => commit.version))
        let head = readAt
        while (heard.has(head + 1)) head++
        expect(versions(following!)).toEqual(Array.from({ length: head - readAt }, (_, i) => readAt + 1 + i))
        expect(chain.head.version).toBe(head)
      }
      // Whatever arrives later, no version is shown twice or out of order.
      const rest = coming.slice(split).flatMap(({ commit }) => chain.take(commit))
      for (const { prev } of rest.slice(0, 1)) expect(prev).toBeGreaterThanOrEqual(Math.max(before, readAt))
    }),
  )
})

test('a commit of another epoch is held back until the room is read again, and is then delivered', () => {
  const chain = new CommitOrder({ epoch: 'a', version: 5 })
  expect(chain.take(commit(1, 2, 'b'))).toEqual([])
  expect(chain.isBehind).toBe(true)
  expect(chain.take(commit(2, 3, 'b'))).toEqual([])
  expect(versions(chain.reset({ epoch: 'b', version: 1 })!)).toEqual([2, 3])
  expect(chain.head).toEqual({ epoch: 'b', version: 3 })
  expect(chain.isBehind).toBe(false)
})

test('a late commit of a past epoch is discarded at the next full read of the room', () => {
  const chain = new CommitOrder({ epoch: 'b', version: 5 })
  chain.take(commit(7, 8, 'a'))
  expect(chain.isBehind).toBe(true)
  expect(chain.reset({ epoch: 'b', version: 5 })).toBe(null)
  expect(chain.isBehind).toBe(false)
})

test('the number of commits that wait for a missing commit is bounded', () => {
  const chain = new CommitOrder({ epoch: 'a', version: 0 })
  for (let version = 2; version < 5_000; version++) chain.take(commit(version, version + 1))
  expect(chain.isBehind).toBe(true)
  // The waiting commits were discarded when they became too many, so the room has to be read again.
  expect(chain.take(commit(0, 1)).length).toBe(1)
})
