import { stripVTControlCharacters } from 'node:util'

/*
 * Text from the network is untrusted. On a terminal, control characters move the cursor or change the title or the
 * clipboard; format characters (\p{Cf}: right-to-left overrides, zero-width letters) make one name look like
 * another. The zero-width joiner is kept, because emoji contain it.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const joiner = '\u200d'

/** Makes untrusted text safe for a terminal: visible characters only, on one line, at most `most` of them. */
export function printable(text: string, most = Infinity): string {
  const seen = stripVTControlCharacters(text).replace(unseen, (char) => (char === joiner ? char : ''))
  const all = charactersOf(seen)
  return all.length <= most ? seen : `${all.slice(0, most - 1).join('')}…`
}

/** Pads a text with spaces to `width` characters. */
export const padded = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - charactersOf(text).length))

// Grapheme clusters: what people see as one character, such as a letter with accents or an emoji family.
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const charactersOf = (text: string) => Array.from(graphemes.segment(text), ({ segment }) => segment)

/** Returns a value as one line of JSON that is safe for a terminal: invisible characters are escaped as `\uXXXX`. */
export function jsonLine(value: unknown): string {
  // Most matches are one UTF-16 unit; characters of the supplementary planes are two.
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    char
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
