/*
 * Public names are text that people choose: any script, emoji too, but no invisible characters. The server converts
 * every name to Unicode normal form C, and names are compared in that form. In `u` mode a quantifier counts code
 * points, and \p{Cs} matches lone surrogates (ECMA-262 §22.2).
 */

/**
 * A first, incomplete check of a name: its length, and no control characters or lone surrogates. `nameFault` is the
 * complete check.
 */
export const nameShape = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u

// Viramas, which suppress the vowel of an Indic letter: the characters of canonical combining class 9, which a regular
// expression cannot select by a property.
const virama =
  '\\u094d\\u09cd\\u0a4d\\u0acd\\u0b4d\\u0bcd\\u0c4d\\u0ccd\\u0d3b\\u0d3c\\u0d4d\\u0dca\\u0e3a\\u0eba\\u0f84\\u1039\\u103a\\u1714\\u1715\\u1734' +
  '\\u17d2\\u1a60\\u1b44\\u1baa\\u1bab\\u1bf2\\u1bf3\\u2d7f\\ua806\\ua82c\\ua8c4\\ua953\\ua9c0\\uaaf6\\uabed\\u{10a3f}\\u{11046}\\u{1107f}\\u{110b9}' +
  '\\u{11133}\\u{11134}\\u{111c0}\\u{11235}\\u{112ea}\\u{1134d}\\u{11442}\\u{114c2}\\u{115bf}\\u{1163f}\\u{116b6}\\u{1172b}\\u{11839}\\u{1193d}' +
  '\\u{1193e}\\u{119e0}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11c3f}\\u{11d44}\\u{11d45}\\u{11d97}'
// Scripts whose letters join their neighbours.
const joining = [
  'Arabic',
  'Syriac',
  'Mandaic',
  'Nko',
  'Mongolian',
  'Phags_Pa',
  'Manichaean',
  'Adlam',
  'Hanifi_Rohingya',
]
  .map((script) => `\\p{Script=${script}}`)
  .join('')

/** Matches an invisible character in a place where Unicode gives it a meaning. */
const allowed = new RegExp(
  [
    // UAX #31 §2.3, A1: a non-joiner between letters that would join, as in Persian. Marks may stand in between.
    `(?<=[${joining}]\\p{M}*)\\u200c(?=\\p{M}*[${joining}])`,
    // UAX #31 §2.3, A2 and B: a joiner or a non-joiner after a virama. Unicode §12.2: in Bengali, a joiner before a
    // virama.
    `(?<=[${virama}]\\p{M}*)[\\u200c\\u200d]`,
    `(?<=\\p{L}\\p{M}*)\\u200d(?=[${virama}])`,
    // UTS #51: a joiner between emoji, a choice of emoji or text, and the tags of a subdivision flag.
    '(?<=\\p{Extended_Pictographic}[\\ufe0f\\p{Emoji_Modifier}]?)\\u200d(?=\\p{Extended_Pictographic})',
    '(?<=\\p{Emoji})[\\ufe0e\\ufe0f]',
    '(?<=\\u{1f3f4})[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}',
    // Variation selectors after a Han character or a Mongolian letter: a family may write its name with one.
    '(?<=\\p{Ideographic})[\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}]',
    '(?<=\\p{Script=Mongolian})[\\u180b-\\u180d\\u180f]',
  ].join('|'),
  'gu',
)
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
/** Matches a character that neither is a space nor looks like one. */
const visible = /[^\p{Zs}\u2800]/u

/**
 * Returns what is wrong with the name of a room or a member, as the end of a sentence; `null` when the name is valid.
 */
export function nameFault(name: string): string | null {
  const character = invisible.exec(name.replace(allowed, ''))?.[0]
  if (character !== undefined) return `must not contain ${codeOf(character)}, which cannot be seen in a name`
  return nameShape.test(name) && visible.test(name) ? null : nameRule
}

const codeOf = (character: string) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`

/** Returns a name in Unicode normal form C, in which names are compared and stored. */
export const normalName = (name: string): string => name.normalize('NFC')

export const nameRule = 'must be 1 to 128 visible characters'
