import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TokenBuckets } from '../../../src/server/access/token-buckets.js'

test('a token bucket allows its burst at once, and then calls at its refill rate', () => {
  const buckets = new TokenBuckets({ perSecond: 30, burst: 60 })
  for (let i = 0; i < 60; i++) expect(buckets.take('ada', 0)).toBe(0)
  expect(buckets.take('ada', 0)).toBe(34)
  expect(buckets.take('ada', 33)).toBe(1)
  expect(buckets.take('ada', 34)).toBe(0)
  expect(buckets.take('bob', 34)).toBe(0)
})

test('a caller who waits for the time that a token bucket returned gets a token', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200), { minLength: 1, maxLength: 200 }), (gaps) => {
      const buckets = new TokenBuckets({ perSecond: 10, burst: 5 })
      let now = 0
      let taken = 0
      for (const gap of gaps) {
        now += gap
        const wait = buckets.take('ada', now)
        if (wait > 0) expect(buckets.take('ada', (now += wait))).toBe(0)
        taken += 1
        expect(taken).toBeLessThanOrEqual(5 + (now / 1_000) * 10 + 1e-6)
      }
    }),
  )
})

test.each([
  { perSecond: Infinity, burst: 1 },
  { perSecond: 1, burst: Infinity },
  { perSecond: Infinity, burst: Infinity },
])('a bucket of infinite rate or burst limits nothing and is not stored: %o', (rate) => {
  const buckets = new TokenBuckets(rate)
  for (let i = 0; i < 1_000; i++) expect(buckets.take('ada', i / 100, 5)).toBe(0)
  expect(buckets.size).toBe(0)
})

test('the wait of the slowest rate is a number that a timer and JSON can hold', () => {
  for (const perSecond of [1e-9, Number.MIN_VALUE]) {
    const buckets = new TokenBuckets({ perSecond, burst: 1 })
    expect(buckets.take('ada', 0)).toBe(0)
    expect(buckets.take('ada', 1)).toBe(2 ** 31 - 1)
  }
})

test('a token bucket that has refilled completely is removed from memory', () => {
  const buckets = new TokenBuckets({ perSecond: 30, burst: 60 })
  for (let i = 0; i < 10_000; i++) buckets.take(`member ${i}`, i)
  expect(buckets.size).toBeLessThan(5_000)
})
