import { expect, test } from 'vitest'
import { LockClaims } from '../../../src/server/rules/lock-claims.js'
import { kept } from '../../support/histories.js'

const [A1, B2] = [kept('A1'), kept('B2')]
const claim = (connectionId: string, fence: number, location = A1) => ({ connectionId, fence, location })
const settled = (claims: LockClaims) =>
  claims.settle(100).map(({ connectionId, location, fence }) => [connectionId, location.value, fence])

/** Lock claims that are collected until the time 100. */
function collected(...given: ReturnType<typeof claim>[]) {
  const claims = new LockClaims(100)
  for (const each of given) claims.add(each)
  return claims
}

test('lock claims are collected until a given time, and settled once, at that time or later', () => {
  const claims = collected(claim('c1', 1))
  expect([claims.isOpen(99), claims.isOpen(100), claims.until]).toEqual([true, false, 100])
  expect(claims.settle(99)).toEqual([])
  expect(claims.settle(100)).toHaveLength(1)
  expect([claims.isOpen(0), claims.until]).toEqual([false, Infinity])
  claims.add(claim('c2', 2))
  expect(claims.settle(1_000)).toEqual([])
})

test('lock claims that are settled are removed', () => {
  const claims = collected(claim('c1', 1))
  claims.settle(100)
  expect([claims.has('c1', A1), claims.countOf('c1')]).toEqual([false, 0])
})

test('lock claims are settled from the highest fence down, and in the order of arrival when their fences are equal', () => {
  const claims = collected(claim('c1', 5), claim('c2', 9, B2), claim('c3', 5, B2), claim('c4', 7))
  expect(settled(claims).map(([connectionId]) => connectionId)).toEqual(['c2', 'c4', 'c1', 'c3'])
})

test('a repeated lock claim replaces the earlier claim and is settled after claims with an equal fence', () => {
  const claims = collected(claim('c1', 5), claim('c2', 5), claim('c1', 5))
  expect(claims.countOf('c1')).toBe(1)
  expect(settled(claims)).toEqual([
    ['c2', 'A1', 5],
    ['c1', 'A1', 5],
  ])
})

test('lock claims are counted per connection, and found only at the places that the connection claims', () => {
  const claims = collected(claim('c1', 1), claim('c1', 2, B2), claim('c2', 3))
  expect([claims.countOf('c1'), claims.countOf('c2'), claims.countOf('c3')]).toEqual([2, 1, 0])
  expect([claims.has('c1', B2), claims.has('c2', B2)]).toEqual([true, false])
})

test('a lock claim is removed only by its connection, place and fence together', () => {
  const claims = collected(claim('c1', 1), claim('c1', 2, B2), claim('c2', 1))
  expect(claims.remove('c1', A1, 2)).toBe(false)
  expect(claims.remove('c3', A1, 1)).toBe(false)
  expect(claims.has('c1', A1)).toBe(true)
  expect(claims.remove('c1', A1, 1)).toBe(true)
  expect([claims.has('c1', A1), claims.has('c1', B2), claims.has('c2', A1)]).toEqual([false, true, true])
})

test('forgetting a connection removes all its lock claims, and those of no other connection', () => {
  const claims = collected(claim('c1', 1), claim('c2', 2), claim('c1', 3, B2))
  claims.forget('c1')
  expect(settled(claims)).toEqual([['c2', 'A1', 2]])
})

test('dropping a place removes all lock claims to it, and to no other place', () => {
  const claims = collected(claim('c1', 1), claim('c2', 2), claim('c1', 3, B2))
  claims.drop(A1)
  expect(settled(claims)).toEqual([['c1', 'B2', 3]])
})
