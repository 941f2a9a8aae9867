import type { Clock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'
import type { Logger } from '../options/logger.js'
import type { Metrics } from '../options/metrics.js'

/*
 * Callbacks of the app. They may throw, hang or return anything; none of that may affect any call except the one for
 * which they were run.
 */

/** The time limit for one callback of the app, with the clock that measures it. */
export type Deadline = { clock: Clock; hookMs: number }

/**
 * Waits for the answer of a callback, at most `hookMs`.
 *
 * @param name the callback's name, for the error message.
 * @throws LocationError `unavailable` after the deadline, and the callback's own rejection.
 */
export function withDeadline<T>(name: string, answer: PromiseLike<T>, { clock, hookMs }: Deadline): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const expire = () =>
      reject(new LocationError('unavailable', `${name} did not answer within ${hookMs} ms: try again.`))
    const cancelTimer = clock.after(hookMs, expire)
    Promise.resolve(answer).then(resolve, reject).finally(cancelTimer)
  })
}

/** Handles the rejection of a promise that is not awaited: an unhandled rejection would end the process. */
export function ignoreErrors(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {})
}

/** Wraps a callback so that its exceptions and rejections are ignored. */
const unfailing =
  <A extends unknown[]>(callback: (...args: A) => unknown) =>
  (...args: A): void => {
    try {
      ignoreErrors(callback(...args))
    } catch {
      // The error is not logged, because the callback that failed may be the logger.
    }
  }

/** Wraps a logger so that its failures are ignored. */
export const safeLogger = (logger: Logger): Logger => ({
  info: unfailing((message, details) => logger.info(message, details)),
  warn: unfailing((message, details) => logger.warn(message, details)),
  error: unfailing((message, details) => logger.error(message, details)),
})

/** Wraps metrics so that their failures are ignored, except in `watch`. */
export const safeMetrics = (metrics: Metrics): Metrics => ({
  called: unfailing((...args) => metrics.called(...args)),
  fannedOut: unfailing((...args) => metrics.fannedOut(...args)),
  streamEnded: unfailing((why) => metrics.streamEnded(why)),
  // `watch` is called once, while the hub is created. Metrics that cannot work may throw there.
  watch: (read) => metrics.watch(read),
})
