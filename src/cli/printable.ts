import { stripVTControlCharacters } from 'node:util'

/*
 * What comes over the network is somebody else's text. On a terminal, control characters move the cursor, change the
 * title or the clipboard; format characters (\p{Cf}: right-to-left overrides, zero-width letters) make one name look like
 * another. A zero-width joiner stays: emoji are spelled with it.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const joiner = '\u200d'

/** Somebody else's text, fit for a terminal: what is seen of it, on one line, and at most `most` characters. */
export function printable(text: string, most = Infinity): string {
  const seen = stripVTControlCharacters(text).replace(unseen, (char) => (char === joiner ? char : ''))
  const all = charactersOf(seen)
  return all.length <= most ? seen : `${all.slice(0, most - 1).join('')}…`
}

/** A text with spaces behind it, for a column of `width` characters. */
export const padded = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - charactersOf(text).length))

// What people see as one: a letter with its accents, an emoji family.
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const charactersOf = (text: string) => Array.from(graphemes.segment(text), ({ segment }) => segment)

/** A value as one line of JSON that does nothing to a terminal: the same value, with what is unseen as `\uXXXX`. */
export function jsonLine(value: unknown): string {
  // Every match is one UTF-16 unit, but for a few characters of the supplementary planes, which are written as two.
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    char
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
