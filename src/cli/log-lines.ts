import type { Logger } from '../server/index.js'
import type { Output } from './output.js'

type Details = Readonly<Record<string, unknown>>

/** Returns a logger that writes its lines to the output of a command, with their details. */
export function loggerOf(output: Pick<Output, 'say' | 'time'>): Logger {
  const log =
    (level: string) =>
    (message: string, details: Details = {}) => {
      const { error, ...fields } = details
      const cause = error instanceof Error ? `: ${error.message}` : ''
      const line = `${output.time()}  ${message}${cause}${inWords(fields)}`
      output.say('log', { ...fields, level, message: message + cause }, line)
    }
  return { info: log('info'), warn: log('warn'), error: log('error') }
}

/** Returns the details of a line as text: ` (call: postLocation, code: bad-input)`. */
function inWords(fields: Details): string {
  const pairs = Object.entries(fields).map(([name, value]) => `${name}: ${String(value)}`)
  return pairs.length > 0 ? ` (${pairs.join(', ')})` : ''
}
