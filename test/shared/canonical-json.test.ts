import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/shared/canonical-json.js'

const json = fc.jsonValue({ maxDepth: 5 })

test('canonical JSON parses to an equal value', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('the order of keys does not change the canonical JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json), fc.array(fc.nat()), (record, picks) => {
      const entries = Object.entries(record)
      for (const [i, pick] of picks.entries())
        if (i < entries.length) entries.push(...entries.splice(pick % entries.length, 1))
      expect(canonicalJson(Object.fromEntries(entries))).toBe(canonicalJson(record))
    }),
  )
})

test('two values have the same canonical JSON exactly when they are equal as JSON', () => {
  fc.assert(
    fc.property(json, json, (a, b) => {
      const same = (value: unknown) => JSON.stringify(JSON.parse(canonicalJson(value)))
      expect(canonicalJson(a) === canonicalJson(b)).toBe(same(a) === same(b))
    }),
  )
})

test('canonical JSON omits a property that is undefined', () => {
  expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}')
})

test('canonical JSON contains __proto__ like any other key', () => {
  expect(canonicalJson(JSON.parse('{"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1}}')
})

test.each([
  ['NaN', NaN],
  ['Infinity', -Infinity],
  ['half a surrogate pair', 'a\ud800b'],
  ['half a surrogate pair in a key', { '\udc00': 1 }],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a bigint', 1n],
  ['undefined', undefined],
  ['undefined in a list', [undefined]],
])('canonicalJson refuses %s', (_what, value) => {
  expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'bad-input' }))
})

test('canonicalJson accepts eight levels of nesting and refuses nine', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
  expect(canonicalJson(nested(8))).toBe('[[[[[[[[1]]]]]]]]')
  expect(() => canonicalJson(nested(9))).toThrow(expect.objectContaining({ code: 'too-large' }))
})
