import { expect, test } from 'vitest'
import { isDeeperThan } from '../../../src/server/validation/parse-input.js'
import { toStoredValue } from '../../../src/server/validation/stored-value.js'

/** Lists inside each other. */
const nested = (levels: number): unknown => (levels === 0 ? 'x' : [nested(levels - 1)])

test.each([
  [0, 0],
  [0.5, 0],
  [1, 1],
  [2.5, 2],
  [8, 8],
])('a depth of %d takes %i levels and refuses one more', (maxDepth, levels) => {
  const keep = (value: unknown) => toStoredValue(value, 'location', { maxBytes: 1_000, maxDepth })
  expect(keep(nested(levels)).value).toEqual(nested(levels))
  for (const more of [1, 50]) expect(() => keep(nested(levels + more))).toThrow('nested too deeply')
  expect(isDeeperThan(nested(levels), maxDepth)).toBe(false)
  for (const more of [1, 50]) expect(isDeeperThan(nested(levels + more), maxDepth)).toBe(true)
})
