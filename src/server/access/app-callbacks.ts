import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Logger } from '../options/logger.js'
import type { Metrics } from '../options/metrics.js'

/*
 * The app's own code, which we run: it may throw, hang, or answer anything, and that is to hurt nobody but whose call it
 * was run for.
 */

/** How long the app's code may take. */
export type Deadline = { clock: Clock; hookMs: number }

/** What it answers. @throws LocationError `unavailable` when it takes too long, and whatever it throws itself. */
export function withDeadline<T>(what: string, answer: PromiseLike<T>, { clock, hookMs }: Deadline): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = () =>
      reject(new LocationError('unavailable', `${what} did not answer within ${hookMs} ms: try again.`))
    const callOff = clock.after(hookMs, late)
    Promise.resolve(answer).then(resolve, reject).finally(callOff)
  })
}

/** What nobody waits for may be a promise all the same, and one that is rejected unheard ends the process. */
export function ignoreErrors(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {})
}

/** One that is told, and whose own trouble with that is nobody's. */
const unfailing =
  <A extends unknown[]>(tell: (...args: A) => unknown) =>
  (...args: A): void => {
    try {
      ignoreErrors(tell(...args))
    } catch {
      // Whom should it be told?
    }
  }

export const safeLogger = (logger: Logger): Logger => ({
  info: unfailing((message, details) => logger.info(message, details)),
  warn: unfailing((message, details) => logger.warn(message, details)),
  error: unfailing((message, details) => logger.error(message, details)),
})

export const safeMetrics = (metrics: Metrics): Metrics => ({
  called: unfailing((...args) => metrics.called(...args)),
  fannedOut: unfailing((...args) => metrics.fannedOut(...args)),
  streamEnded: unfailing((why) => metrics.streamEnded(why)),
  // Once, when the hub is made: there it may say that it cannot work.
  watch: (read) => metrics.watch(read),
})
