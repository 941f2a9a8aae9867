import { LocationError } from './errors.js'

/**
 * Returns a value as JSON with sorted keys, so that equal values are equal text. A property that is `undefined` counts
 * as absent.
 *
 * @throws LocationError `bad-input` for a value that JSON cannot express (NaN, a lone surrogate, a function, a Date, a
 * Map), `too-large` for more than `maxDepth` levels.
 */
export function canonicalJson(value: unknown, maxDepth = 8): string {
  switch (typeof value) {
    case 'string':
      if (/\p{Cs}/u.test(value))
        throw new LocationError('bad-input', 'Text must be well-formed Unicode, without lone surrogates.')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value))
        throw new LocationError('bad-input', 'Numbers must be finite: NaN and Infinity are not JSON.')
      return JSON.stringify(value)
    case 'boolean':
      return String(value)
    case 'object':
      if (value === null) return 'null'
      if (maxDepth === 0) throw new LocationError('too-large', 'The value is nested too deeply.')
      if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, maxDepth - 1)).join()}]`
      if (isRecord(value)) return canonicalRecord(value, maxDepth - 1)
      break
    default:
  }
  throw new LocationError(
    'bad-input',
    'Values must be plain JSON: no dates, maps, class instances, functions or symbols.',
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
