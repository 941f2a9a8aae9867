import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { roomId, secretKey } from '../../src/shared/id-schemas.js'
import { nameFault } from '../../src/shared/name-rule.js'
import { formatEventId, parseEventId } from '../../src/shared/event-id.js'

const people = {
  plain: 'sheet-42',
  'with a space': 'Q3 plan',
  'German umlauts': 'Größe',
  Chinese: '会議室',
  Hebrew: '\u05d3\u05d5\u05d7',
  Arabic: 'مستند',
  'Persian with a non-joiner': '\u06af\u0632\u0627\u0631\u0634\u200c\u0647\u0627',
  'Hindi with a joiner': '\u0930\u094d\u200d\u092f',
  'Sinhala with a joiner': '\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf',
  'Malayalam that ends with a joiner': '\u0d2a\u0d4d\u0d30\u0d35\u0d40\u0d23\u0d4d\u200d',
  'Bengali with a joiner before its virama': '\u09b0\u200d\u09cd\u09af\u09be\u09ae',
  'a Japanese family name with a variant': '\u845b\u{e0100}城',
  emoji: '📊 plan',
  'a heart emoji with a variation selector': '\u2764\ufe0f',
  'a keycap emoji': '1\ufe0f\u20e3',
  'a family emoji that is joined with zero-width joiners': '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  'a couple with skin tones': '\u{1f469}\u{1f3fd}\u200d\u2764\ufe0f\u200d\u{1f468}\u{1f3fb}',
  'a rainbow flag': '\u{1f3f3}\ufe0f\u200d\u{1f308}',
  'a national flag': '\u{1f1f5}\u{1f1f9}',
  'the flag of Scotland': '\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
  __proto__: '__proto__',
  'the maximum of 128 letters': 'x'.repeat(128),
  'the maximum of 128 emoji': '😀'.repeat(128),
}

describe('valid names', () => {
  test.each(Object.entries(people))('a name that people use is valid: %s', (_what, name) => {
    expect(nameFault(name)).toBe(null)
    expect(roomId.parse(name)).toBe(name.normalize())
  })
})

test('a room id is converted to Unicode normal form C before its length is checked', () => {
  expect(roomId.parse('Cafe\u0301 budget.xlsx')).toBe('Café budget.xlsx')
  expect(roomId.parse('e\u0301'.repeat(128))).toBe('é'.repeat(128))
})

describe('invisible characters in names', () => {
  test.each([
    ['a control character', 'a\u0000b', 'U+0000'],
    ['a line break', 'a\nb', 'U+000A'],
    ['a line separator', 'a\u2028b', 'U+2028'],
    ['a right-to-left override', 'a\u202eb', 'U+202E'],
    ['a bidi isolate', 'a\u2066b', 'U+2066'],
    ['a right-to-left mark between Arabic letters', '\u0645\u200f\u0633', 'U+200F'],
    ['a soft hyphen', 'docu\u00adment', 'U+00AD'],
    ['a zero-width space', 'a\u200bb', 'U+200B'],
    ['a byte order mark', '\ufeffa', 'U+FEFF'],
    ['a Hangul filler', '\u3164', 'U+3164'],
    ['a joiner between Latin letters', 'a\u200db', 'U+200D'],
    ['a non-joiner between Latin letters', 'a\u200cb', 'U+200C'],
    ['a non-joiner at the end of Arabic', '\u0645\u0633\u200c', 'U+200C'],
    ['a joiner after an emoji and before a letter', '😀\u200da', 'U+200D'],
    ['two joiners in a family', '\u{1f468}\u200d\u200d\u{1f469}', 'U+200D'],
    ['a variation selector after a letter', 'a\ufe0f', 'U+FE0F'],
    ['tags without a flag', 'a\u{e0067}\u{e0062}\u{e007f}', 'U+E0067'],
    ['half a surrogate pair', 'a\ud83d', 'U+D83D'],
  ])('a name with %s is rejected, and the error message names the code point', (_what, name, code) => {
    expect(nameFault(name)).toBe(`must not contain ${code}, which cannot be seen in a name`)
    const { error } = roomId.safeParse(name)
    expect(error?.issues[0]?.message).toContain(`a room id must not contain ${code}`)
  })
})

test.each([
  ['an empty text', ''],
  ['a text of 129 letters', 'x'.repeat(129)],
  ['a text of 129 emoji', '😀'.repeat(129)],
  ['a lone space', ' '],
  ['a lone no-break space', '\u00a0'],
  ['spaces of several kinds', ' \u2003\u3000'],
  ['a blank pattern of Braille', '\u2800'],
])('%s is not a valid name', (_what, name) => {
  expect(nameFault(name)).toBe('must be 1 to 128 visible characters')
  expect(roomId.safeParse(name).success).toBe(false)
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

test('parseEventId reads an id that formatEventId wrote, and returns null for any other text', () => {
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
