import { LocationError } from '../../shared/errors.js'

/** The values that a number may have. Default: 0 or more. */
export type NumberRange = {
  /** The smallest value. */
  least?: number
  /** A value that is already too small, where there is no smallest one. */
  above?: number
  /** The largest value. Default: `Infinity`, which must mean that nothing is limited. */
  most?: number
}

/**
 * Returns the default numbers, replaced by the app's own where the app sets one. An option that is `undefined` keeps
 * its default.
 *
 * @param path the option that holds the numbers, for error messages: `limits`.
 * @param ranges the values that each option may have.
 * @throws LocationError `misconfigured` for an unknown name, or for a value that is not a number of its range.
 */
export function mergeNumbers<T extends Record<string, number>>(
  defaults: T,
  custom: Partial<T> | undefined,
  path: string,
  ranges: Readonly<Partial<Record<string, NumberRange>>> = {},
): T {
  const numbers: Record<string, number> = { ...defaults }
  for (const [name, value] of Object.entries<unknown>(custom ?? {})) {
    if (value === undefined) continue
    if (!Object.hasOwn(defaults, name))
      throw new LocationError('misconfigured', `Unknown option ${path}.${name}. Leave it out.`)
    numbers[name] = checked(value, `${path}.${name}`, ranges[name])
  }
  return numbers as T
}

function checked(value: unknown, option: string, { least = 0, above, most = Infinity }: NumberRange = {}): number {
  if (typeof value !== 'number' || !(value >= least) || (above !== undefined && value <= above)) {
    const needed = above === undefined ? `of ${least} or more` : `above ${above}`
    const largest = most === Infinity ? 'Infinity for no limit' : `${most} for the largest value`
    throw new LocationError(
      'misconfigured',
      `${option} must be a number ${needed}. Leave it out for the default, or write ${largest}.`,
    )
  }
  if (value > most) throw new LocationError('misconfigured', `${option} is ${value}: it must be at most ${most}.`)
  return value
}
