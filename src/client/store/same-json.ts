import { canonicalJson } from '../../shared/canonical-json.js'

/**
 * Returns the canonical text of a JSON value. The depth limit stops at values that contain themselves; the server's is
 * lower.
 */
export const canonicalText = (value: unknown) => canonicalJson(value, 1_000)

/** Returns a copy of a value that the app passed, because the app may change its own object. Throws for what is not JSON. */
export const copyOf = <T>(value: T): T => JSON.parse(canonicalText(value)) as T

/** True when two JSON values, such as two locations, are equal; the order of keys does not matter. */
export const sameJson = (a: unknown, b: unknown) => a === b || canonicalText(a) === canonicalText(b)
