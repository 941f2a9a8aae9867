import { InvalidArgumentError } from 'commander'

/* What the options of the command line may be. Each throws commander's error: a usage mistake, exit code 2. */

/** A number of at least `least` and at most `most`. */
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

/** What a server takes for a room (shared/ids.ts). Here it is a slip of the pen: an empty variable, say. */
export function roomName(text: string): string {
  if (/^[^\p{Cc}\p{Cf}\p{Cs}]{1,128}$/u.test(text) && text.normalize('NFC') === text) return text
  throw new InvalidArgumentError('Give from 1 to 128 characters that can be seen, such as sheet-42.')
}

export function key(text: string): string {
  if (/^[\w-]{22}$/.test(text)) return text
  throw new InvalidArgumentError('Give the 22 characters that an earlier post came back with.')
}

export function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('Give an address such as http://127.0.0.1:3000/trpc.')
}

/** `name: value`, as curl takes it; each use of the option adds one. */
export function header(text: string, previous: Record<string, string>): Record<string, string> {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(.*)$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError("Give 'name: value', such as 'authorization: Bearer abc'.")
  return { ...previous, [name]: value! }
}

export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim())
  if (items.every((item) => item !== '')) return items
  throw new InvalidArgumentError('Give names with commas between them, such as Q3,Budget.')
}

export function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(jsonAdvice(text, error as SyntaxError))
  }
}

export function jsonObject(text: string): object {
  const value = json(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new InvalidArgumentError('Give a JSON object, such as {"name":"Ada"}.')
}

/** What is wrong with a JSON text, and where, counted in characters from 1. */
export function jsonAdvice(text: string, error: SyntaxError): string {
  const at = Number(/at position (\d+)/.exec(error.message)?.[1] ?? unexpectedAt(text))
  const what = error.message.replace(/ in JSON at position.*/s, '').replace(/, .* is not valid JSON$/s, '')
  return `Not JSON: ${what}, at character ${at + 1}. In a shell, put it in single quotes: '{"sheet":"Q3","row":4,"col":2}'.`
}

/** V8 names an unexpected character, but not always its place: it is where the shortest text that has it ends. */
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
