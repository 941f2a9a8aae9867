/**
 * Freezes a value with everything in it, and returns the value. This package and all listeners of an app share the same
 * objects, so no listener may change them. Errors are not frozen, because error trackers add properties to them.
 */
export function frozen<T>(value: T): T {
  if (!Object.isFrozen(value) && !(value instanceof Error))
    Object.values(Object.freeze(value) as object).forEach(frozen)
  return value
}

/** Returns a copy of a JSON value that the app passed, because the app may change its own object at any time. */
export const copied = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
