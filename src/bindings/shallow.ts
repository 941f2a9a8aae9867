/**
 * Shallow equality, for selectors that return a new array or object each time:
 * `useOthers((others) => others.map(({ memberId }) => memberId), shallow)`.
 *
 * Returns true when both values are identical (`Object.is`), or when both are arrays, or both plain objects, with the
 * same keys and identical values.
 */
export function shallow(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (!isArrayOrRecord(a) || !isArrayOrRecord(b) || Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && Object.is(a[key], b[key]))
  )
}

function isArrayOrRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}
