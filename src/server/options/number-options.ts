import { LocationError } from '../../shared/errors.js'

/**
 * Returns the default numbers, replaced by the app's own where the app sets one. An option that is `undefined` keeps
 * its default.
 *
 * @param path the option that holds the numbers, for error messages: `limits`.
 * @param most the largest allowed value of each option that has a maximum.
 * @throws LocationError `misconfigured` for an unknown name, or for a value that is not a number of 0 or more.
 */
export function mergeNumbers<T extends Record<string, number>>(
  defaults: T,
  custom: Partial<T> | undefined,
  path: string,
  most: Partial<T> = {},
): T {
  const numbers: Record<string, number> = { ...defaults }
  for (const [name, value] of Object.entries<unknown>(custom ?? {})) {
    if (value === undefined) continue
    if (!Object.hasOwn(defaults, name))
      throw new LocationError('misconfigured', `Unknown option ${path}.${name}. Leave it out.`)
    if (typeof value !== 'number' || !(value >= 0))
      throw new LocationError(
        'misconfigured',
        `${path}.${name} must be a number of 0 or more. Leave it out for the default.`,
      )
    if (value > (most[name] ?? Infinity))
      throw new LocationError('misconfigured', `${path}.${name} is ${value}: it must be at most ${most[name]}.`)
    numbers[name] = value
  }
  return numbers as T
}
