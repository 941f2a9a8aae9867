/**
 * Freezes a value with everything in it, and returns it. All listeners of an app hold the same objects as we do, so none
 * may change them. Errors stay open, because error trackers write to them.
 */
export function frozen<T>(value: T): T {
  if (!Object.isFrozen(value) && !(value instanceof Error))
    Object.values(Object.freeze(value) as object).forEach(frozen)
  return value
}

/** Returns a copy of a JSON value of the app, which may change its own object at any time. */
export const copied = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
