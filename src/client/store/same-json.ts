import { canonicalJson } from '../../shared/canonical-json.js'

/** The canonical text of a JSON value. The server limits the depth to less; a value that contains itself has no end. */
export const canonicalText = (value: unknown) => canonicalJson(value, 1_000)

/** True when two JSON values, such as two locations, are equal; the order of keys does not matter. */
export const sameJson = (a: unknown, b: unknown) => a === b || canonicalText(a) === canonicalText(b)
