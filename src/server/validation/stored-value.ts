import { canonicalJson } from '../../shared/canonical-json.js'
import { LocationError } from '../../shared/errors.js'
import type { StoredValue } from '../rules/backend.js'

/**
 * Converts a value to the form in which it is stored, compared and sent.
 *
 * @throws LocationError `bad-input` for a value that is not JSON, `too-large` above `maxBytes` or `maxDepth`.
 */
export function toStoredValue(
  value: unknown,
  kind: 'location' | 'profile' | 'presence value' | 'payload',
  limits: { maxBytes: number; maxDepth: number },
): StoredValue {
  const json = canonicalJson(value, limits.maxDepth)
  const bytes = Buffer.byteLength(json)
  if (bytes > limits.maxBytes)
    throw new LocationError('too-large', `The ${kind} has ${bytes} bytes as JSON; the limit is ${limits.maxBytes}.`)
  return { json, value: JSON.parse(json) }
}
