import { canonicalJson } from '../../shared/canonical-json.js'

/** The canonical text of a JSON value. The server has already limited the depth. */
export const canonicalText = (value: unknown) => canonicalJson(value, Infinity)

/** True when two JSON values, such as two locations, are equal; the order of keys does not matter. */
export const sameJson = (a: unknown, b: unknown) => a === b || canonicalText(a) === canonicalText(b)
