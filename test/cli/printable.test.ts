import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonLine, padded, printable } from '../../src/cli/printable.js'

const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const anyText = fc.string({
  unit: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u001b', '[31m', '\u009b', ']0;', '\u0007')),
})

describe('text from other members', () => {
  test.each([
    ['a colour', '\u001b[31mred\u001b[0m', 'red'],
    ['a colour in its 8-bit form', '\u009b31mred', 'red'],
    ['a window title', 'a\u001b]0;owned\u0007b', 'ab'],
    ['a cleared screen', '\u001b[2J\u001b[Hboo', 'boo'],
    ['new lines', 'one\r\ntwo\tthree', 'onetwothree'],
    ['a right-to-left override', 'abc\u202etxt.exe', 'abctxt.exe'],
    ['a zero-width space', 'Ad\u200ba', 'Ada'],
    ['a lone surrogate', 'a\ud83d', 'a'],
  ])('text from other members is shown without %s', (_, text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test('text from other members without control or invisible characters is shown unchanged', () => {
    for (const text of ['Ada', 'Zoë', '李', '👩‍👩‍👧', 'مريم', 'a  b']) expect(printable(text)).toBe(text)
  })

  test('text from other members never reaches a terminal with invisible characters', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text).replaceAll('\u200d', '')).not.toMatch(unseen)
      }),
    )
  })

  test('text from other members is truncated between grapheme clusters', () => {
    expect(printable('abcdef', 4)).toBe('abc…')
    expect(printable('abcd', 4)).toBe('abcd')
    expect(printable('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 2)).toBe('👩‍👩‍👧…')
    expect(padded('👩‍👩‍👧', 3)).toBe('👩‍👩‍👧  ')
  })
})

test('a JSON line parses to the same value and contains no invisible characters', () => {
  fc.assert(
    fc.property(fc.dictionary(anyText, anyText), (value) => {
      const line = jsonLine(value)
      expect(line).not.toMatch(unseen)
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
