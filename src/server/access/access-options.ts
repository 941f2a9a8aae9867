import { isBoolean, isFunction, type OptionChecks } from '../options/option-checks.js'
import type { Access } from './access-types.js'

/** The checks of `identify`, `authorize` and `anonymous`. `Gate` checks which of these options go together. */
export const accessOptionChecks: OptionChecks<Access<unknown, unknown>> = {
  identify: isFunction,
  authorize: isFunction,
  anonymous: isBoolean,
}
