import { LocationError } from './errors.js'

/**
 * Returns a value as JSON with sorted keys, so that equal values are equal text. A property that is `undefined` counts
 * as absent.
 *
 * @throws LocationError `bad-input` for a value that JSON cannot express (NaN, a lone surrogate, a function, a Date, a
 * Map), `too-large` for more than `maxDepth` levels.
 */
export function canonicalJson(value: unknown, maxDepth = 8): string {
  const isText = typeof value === 'string' && !/\p{Cs}/u.test(value)
  if (isText || value === null || typeof value === 'boolean' || Number.isFinite(value)) return JSON.stringify(value)
  if (typeof value === 'object') {
    if (maxDepth < 1) throw new LocationError('too-large', 'The value is nested too deeply.')
    if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, maxDepth - 1)).join()}]`
    if (isRecord(value)) return canonicalRecord(value, maxDepth - 1)
  }
  throw new LocationError(
    'bad-input',
    'Values must be plain JSON: well-formed text, finite numbers, arrays and plain objects.',
  )
}

function canonicalRecord(record: Record<string, unknown>, maxDepth: number): string {
  const properties = []
  for (const key of Object.keys(record).sort()) {
    const value = record[key]
    if (value !== undefined) properties.push(`${canonicalJson(key)}:${canonicalJson(value, maxDepth)}`)
  }
  return `{${properties.join()}}`
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
