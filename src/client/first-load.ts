import { LocationError } from '../shared/errors.js'
import { parseEventId } from '../shared/event-id.js'
import { retryDelayMs } from './connection/connection-state.js'
import { cut, failureOf, foreignAnswer } from './connection/failure.js'
import { operation } from './connection/trpc-operation.js'
import { checkLength } from './connection/wire-limits.js'
import { canonicalText } from './store/same-json.js'

/**
 * Code of the first load that chunks which are loaded later use, too. It is given to them: an import would make a bundler
 * split the first load into more files, which compress worse, and esbuild would put more of tRPC into it.
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
