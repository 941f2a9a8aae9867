import { shallow } from 'hereabouts/react'
import { expect, test } from 'vitest'

test.each([
  ['the same value', 'a', 'a', true],
  ['NaN', NaN, NaN, true],
  ['equal arrays', [1, 'b'], [1, 'b'], true],
  ['equal objects', { a: 1 }, { a: 1 }, true],
  ['arrays of different lengths', [1], [1, 2], false],
  ['nested objects, which are compared by identity', [{ a: 1 }], [{ a: 1 }], false],
  ['objects with different keys', { a: undefined }, { b: undefined }, false],
  ['an array and an object', [], {}, false],
  ['null and an object', null, {}, false],
  ['two dates, which are not plain objects', new Date(1), new Date(2), false],
])('shallow() compares %s', (_name, a, b, isEqual) => {
  expect(shallow(a, b)).toBe(isEqual)
})
