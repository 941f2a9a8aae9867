import { LocationError, type LocationErrorCode } from '../shared/errors.js'

/** What became of a call that gave no answer: whether asking again may help, and what to tell the app. */
export type Failure = { error: LocationError; retry: boolean }

const codes: readonly string[] = [
  'bad-input',
  'too-large',
  'rate-limited',
  'unauthorized',
  'forbidden',
  'connection-owned',
  'room-full',
  'unavailable',
] satisfies LocationErrorCode[]

/** As much of a TRPCClientError as we read, and of the EventSource's error event and the Response inside it. */
type Thrown = {
  message?: string
  shape?: object | null
  data?: { httpStatus?: number } | null
  cause?: { code?: unknown }
  meta?: { response?: { status: number } }
}

/** Only what a procedure says is final: a bare status may come from a proxy in the middle of a deploy. */
export function failureOf(thrown: unknown): Failure {
  const { message = 'no answer', shape, data, cause, meta } = (thrown ?? {}) as Thrown
  const status = data?.httpStatus ?? Number(meta?.response?.status ?? cause?.code)
  // Our server writes `<code>: <sentence>`; the app's own middleware writes as it likes.
  const [, said = '', sentence] = /^([a-z-]+): (.+)/s.exec(message) ?? []
  const known = codes.includes(said)
  const code = known ? (said as LocationErrorCode) : codeOf(status)
  const wait = /in (\d+) ms/.exec(message)
  const error = new LocationError(code, known ? sentence! : message, {
    cause: thrown,
    ...(wait && { retryAfterMs: Number(wait[1]) }),
  })
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
