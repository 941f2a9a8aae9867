import { LocationError } from '../../shared/errors.js'

/** Returns what an option must be, as the end of the sentence "x must be ..."; null when the value is right. */
export type OptionCheck = (value: unknown) => string | null

/** The names of the options of all members of a union type. */
type NameOf<T> = T extends unknown ? keyof T & string : never

/** One check for every option: the compiler reports an option of the type that has no check. */
export type OptionChecks<T> = Readonly<Record<NameOf<T>, OptionCheck>>

/**
 * Refuses unknown options and wrong values, which would silently do nothing or something unexpected. An option that is
 * `undefined` counts as left out.
 *
 * @param owner the function that takes the options, for error messages.
 * @throws LocationError `misconfigured`, with the name of the option and what to do.
 */
export function assertOptions(owner: string, options: unknown, checks: Readonly<Record<string, OptionCheck>>): void {
  if (!isObject(options)) throw misconfigured(`${owner} needs an object with its options.`)
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (!check) throw misconfigured(`Unknown option ${name} of ${owner}. Leave it out.`)
    const needed = check(value)
    if (needed !== null) throw misconfigured(`${name} of ${owner} must be ${needed}.`)
  }
}

const misconfigured = (message: string) => new LocationError('misconfigured', message)
/** True for an object whose properties are its content: not for null, an array, a Map or a Date. */
const isObject = (value: unknown): value is Record<string, unknown> =>
  Object.prototype.toString.call(value) === '[object Object]'

/** Accepts every value, because the option is checked completely elsewhere. */
export const checkedElsewhere: OptionCheck = () => null

export const isBoolean: OptionCheck = (value) => (typeof value === 'boolean' ? null : 'true or false')

export const isFunction: OptionCheck = (value) => (typeof value === 'function' ? null : 'a function')

/** Accepts a function whose result is used without being awaited. */
export const isSyncFunction: OptionCheck = (value) =>
  typeof value === 'function' && value.constructor.name !== 'AsyncFunction'
    ? null
    : 'a function that returns its result and not a promise: do asynchronous work when you create your context'

/** Accepts an object or a function that has these methods. */
export const hasMethods =
  (what: string, names: readonly string[]): OptionCheck =>
  (value) => {
    const held = ((typeof value === 'object' || typeof value === 'function') && value) || {}
    return names.every((name) => typeof (held as Record<string, unknown>)[name] === 'function') ? null : what
  }

export const isPlainObject =
  (what: string): OptionCheck =>
  (value) =>
    isObject(value) ? null : what

/** Accepts a tRPC router. */
export const isRouter: OptionCheck = (value) => {
  const { _def } = (isObject(value) || typeof value === 'function' ? value : {}) as { _def?: { procedures?: unknown } }
  return isObject(_def?.procedures) ? null : 'a tRPC router: the value that t.router() returned'
}

export const isCount =
  (least: number): OptionCheck =>
  (value) =>
    typeof value === 'number' && value >= least ? null : `a number of ${least} or more`
