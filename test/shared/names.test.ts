import fc from 'fast-check'
import { expect, test } from 'vitest'
import { secretKey } from '../../src/shared/id-schemas.js'
import { isName } from '../../src/shared/name-rule.js'
import { formatEventId, parseEventId } from '../../src/shared/event-id.js'

test.each(['a', 'sheet-42', 'Größe', '会議室', '📊 plan', '__proto__', 'x'.repeat(128), '😀'.repeat(128)])(
  '%j is a valid name',
  (name) => {
    expect(isName(name)).toBe(true)
  },
)

test.each([
  ['nothing', ''],
  ['too long', 'x'.repeat(129)],
  ['too long in code points', '😀'.repeat(129)],
  ['a control character', 'a\u0000b'],
  ['a line break', 'a\nb'],
  ['a right-to-left override', 'a\u202eb'],
  ['a zero-width joiner', 'a\u200db'],
  ['a byte order mark', '\ufeffa'],
  ['half a surrogate pair', 'a\ud83d'],
  ['not in normal form C', 'e\u0301'],
])('%s is not a valid name', (_what, name) => {
  expect(isName(name)).toBe(false)
})

test('a key has exactly 22 base64url characters', () => {
  const is = (key: string) => secretKey.safeParse(key).success
  expect(is('A'.repeat(22))).toBe(true)
  expect(is('Az09_-'.repeat(4).slice(0, 22))).toBe(true)
  for (const key of [
    '',
    'A'.repeat(21),
    'A'.repeat(23),
    `${'A'.repeat(21)}=`,
    `${'A'.repeat(21)}+`,
    `${'A'.repeat(22)}\n`,
  ])
    expect(is(key)).toBe(false)
})

test('parseEventId returns a formatted id unchanged and null for any other text', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (version) => {
      expect(parseEventId(formatEventId({ epoch: 'abcDEF123_-', version }))).toEqual({ epoch: 'abcDEF123_-', version })
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseEventId(text)).toBe(null)
    }),
  )
  for (const text of [
    'abcDEF123_-.',
    'abcDEF123_-.01',
    'abcDEF123_-.1e3',
    'abcDEF123_-.9007199254740993',
    'abcDEF123_-.-1',
    'short.1',
    null,
  ])
    expect(parseEventId(text)).toBe(null)
})
