import type { Clock } from '../../shared/clock.js'
import type { Logger } from '../options/logger.js'

/** The shortest time between two log lines for the same procedure and error code, in milliseconds. */
const quietMs = 60_000

/** The error codes of refusals that are logged elsewhere, or that are not the caller's fault. */
const reportedElsewhere = new Set(['rate-limited', 'unavailable', 'closed', 'misconfigured', 'other'])

/** The error codes whose message may quote the caller's input, which must not be logged. */
const quotesTheCaller = new Set(['bad-input', 'too-large'])

/**
 * Logs why calls are refused: at most one line a minute for each procedure and error code, so that an operator sees why
 * nobody can post, and a flood of calls does not flood the log. The memory is bounded, because procedures and error
 * codes are few.
 */
export class RefusalLog {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #quiet = new Map<string, { until: number; suppressed: number }>()

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /**
   * @param call the name of the procedure.
   * @param code the error code of the refusal.
   * @param reason the message that the caller is sent.
   */
  note(call: string, code: string, reason: string): void {
    if (reportedElsewhere.has(code)) return
    const now = this.#clock.now()
    const key = `${call} ${code}`
    const known = this.#quiet.get(key)
    if (known && now < known.until) {
      known.suppressed++
      return
    }
    this.#quiet.set(key, { until: now + quietMs, suppressed: 0 })
    const repeated = known?.suppressed ? { alsoSinceTheLastLine: known.suppressed } : {}
    const why = quotesTheCaller.has(code) ? {} : { reason }
    this.#logger.warn('a call was refused', { call, code, ...why, ...repeated })
  }
}
