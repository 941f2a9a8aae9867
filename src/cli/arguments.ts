import { InvalidArgumentError } from 'commander'

/* Parsers for the options of the command line. Each throws commander's InvalidArgumentError: a usage error, exit code 2. */

/** Parses a number from `least` to `most`, both included. */
export const numberFrom = (least: number, most: number) => (text: string) => {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`)
}

export const integerFrom = (least: number, most: number) => (text: string) => {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`)
}

/**
 * Checks the length and the characters of a room id roughly, so that a typing error, such as an empty variable, is
 * reported at once. The server checks the whole rule.
 */
export function roomName(text: string): string {
  const name = text.normalize()
  if (/^[^\p{Cc}\p{Cs}]{1,128}$/u.test(name)) return name
  throw new InvalidArgumentError('Give a room id of 1 to 128 visible characters, such as sheet-42.')
}

export function key(text: string): string {
  if (/^[\w-]{22}$/.test(text)) return text
  throw new InvalidArgumentError('Give the 22 characters of the key that an earlier post printed.')
}

export function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('Give an address such as http://127.0.0.1:3000/trpc.')
}

/** Parses a header, `name: value`, in the form of curl's -H. Each use of the option adds a header. */
export function header(text: string, previous: Record<string, string>): Record<string, string> {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError("Give 'name: value', such as 'authorization: Bearer abc'.")
  return { ...previous, [name]: value! }
}

export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.every((item) => item !== '')) return items
  throw new InvalidArgumentError('Give names separated by commas, such as Q3,Budget.')
}

/** A location as an argument of a shell, for advice. */
export const locationExample = '{"sheet":"Q3","row":4,"col":2}'

/** Parses JSON. `example` is shown when the text is none. */
export const json =
  (example: string) =>
  (text: string): unknown => {
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new InvalidArgumentError(jsonAdvice(text, error as SyntaxError, example))
    }
  }

/** Parses a JSON object. `example` is shown when the text is none. */
export const jsonObject =
  (example: string) =>
  (text: string): object => {
    const value = json(example)(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
    throw new InvalidArgumentError(`Give a JSON object, such as ${example}.`)
  }

/** Describes what is wrong with a JSON text, and at which character, counted from 1, and shows an `example`. */
export function jsonAdvice(text: string, error: SyntaxError, example: string): string {
  const at = Number(/at position (\d+)/.exec(error.message)?.[1] ?? unexpectedAt(text))
  const what = error.message.replace(/ in JSON at position.*/s, '').replace(/, .* is not valid JSON$/s, '')
  return `Not JSON: ${what}, at character ${at + 1}. In a shell, put it in single quotes: '${example}'.`
}

/**
 * Returns the index of the unexpected character in an invalid JSON text, which V8 does not always report: the shortest
 * invalid prefix of the text ends with this character.
 */
function unexpectedAt(text: string): number {
  for (let end = 1; end <= text.length; end++) {
    try {
      JSON.parse(text.slice(0, end))
    } catch (error) {
      if (/^Unexpected (token|non-whitespace)/.test((error as Error).message)) return end - 1
    }
  }
  return text.length
}
