import { LocationError, type LocationErrorCode } from '../shared/errors.js'

/** What became of a call that gave no answer: whether asking again may help, and what to tell the app. */
export type Failure = { error: LocationError; retry: boolean }

// Our server writes `<code>: <sentence>`; the app's own middleware writes as it likes.
const ours = /^(bad-input|too-large|rate-limited|unauthorized|forbidden|connection-owned|room-full|unavailable): (.+)/s

/** As much as we read of a TRPCClientError, and of the EventSource's error event inside it. */
type Thrown = {
  message?: string
  shape?: object | null
  data?: { httpStatus?: number } | null
  cause?: { code?: unknown }
}

/** Only what a procedure says is final: a bare status may come from a proxy in the middle of a deploy. */
export function failureOf(thrown: unknown): Failure {
  const { message = 'no answer', shape, data, cause } = (thrown ?? {}) as Thrown
  const [, said, sentence = message] = ours.exec(message) ?? []
  const code = (said as LocationErrorCode | undefined) ?? codeOf(Number(data?.httpStatus ?? cause?.code))
  const [, wait] = /in (\d+) ms/.exec(message) ?? []
  const error = new LocationError(code, sentence, { cause: thrown, ...(wait && { retryAfterMs: Number(wait) }) })
  return { error, retry: !shape || /^(network|unavailable|rate-limited)$/.test(code) }
}

function codeOf(status: number): LocationErrorCode {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 413) return 'too-large'
  if (status === 429) return 'rate-limited'
  if (status >= 500) return 'unavailable'
  return status >= 400 ? 'bad-input' : 'network'
}
