import { LocationError } from '../../shared/errors.js'

/**
 * Some numbers of one's own over those that are usual. What is `undefined` stays as it is usually.
 *
 * @throws LocationError `misconfigured` for a name that is none of them, and for what is not a number of 0 or more.
 */
export function mergeNumbers<T extends Record<string, number>>(usual: T, own: Partial<T> | undefined, what: string): T {
  const numbers: Record<string, number> = { ...usual }
  for (const [name, value] of Object.entries<unknown>(own ?? {})) {
    if (value === undefined) continue
    if (!Object.hasOwn(usual, name))
      throw new LocationError('misconfigured', `${what}.${name}: there is no such number. Leave it out.`)
    if (typeof value !== 'number' || !(value >= 0))
      throw new LocationError('misconfigured', `${what}.${name}: must be a number of 0 or more, or left out.`)
    numbers[name] = value
  }
  return numbers as T
}
