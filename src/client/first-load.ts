import { LocationError } from '../shared/errors.js'
import { parseEventId } from '../shared/event-id.js'
import { retryDelayMs } from './connection/connection-state.js'
import { cut, failureOf, foreignAnswer } from './connection/failure.js'
import { operation } from './connection/trpc-operation.js'
import { checkLength } from './connection/wire-limits.js'
import { canonicalText } from './store/same-json.js'

/**
 * Code of the first load that chunks loaded later use, too. The chunks receive this record as an argument: if they
 * imported the code, a bundler would split the first load into more files, which compress worse, and esbuild would add
 * more of tRPC to it.
 */
export const firstLoad = {
  LocationError,
  parseEventId,
  retryDelayMs,
  cut,
  failureOf,
  foreignAnswer,
  operation,
  checkLength,
  canonicalText,
}
export type FirstLoad = typeof firstLoad
