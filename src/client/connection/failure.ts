import { LocationError, type LocationErrorCode } from '../../shared/errors.js'
import { clamped } from './wire-limits.js'

/** Why a call or a stream failed. */
export type Failure = {
  error: LocationError
  /** True when a retry may help. */
  retry: boolean
  /** True when something between us and the server blocks streams; single requests may work. */
  obstructed?: boolean
  /** True when our server itself gave this answer, so that no proxy blocks the way. */
  answered?: boolean
}

// Our server writes `<code>: <sentence>`; the app's own middleware may write anything.
const ours = /^(bad-input|too-large|rate-limited|unauthorized|forbidden|connection-owned|room-full|unavailable): (.+)/s

/** The parts of a TRPCClientError that we read; `cause` is set when the answer was not tRPC's. */
type Thrown = {
  message?: string
  shape?: object | null
  data?: { httpStatus?: number; retryAfterMs?: unknown } | null
  cause?: { code?: unknown; foreign?: boolean }
}

/**
 * Turns the error of a call into a `Failure`. Only a refusal by a procedure is final: a bare HTTP status may come from
 * a proxy in the middle of a deploy.
 *
 * @param url the URL of the procedures, named in the error when no location router answers there.
 */
export function failureOf(thrown: unknown, url?: string): Failure {
  const { message = 'no answer', shape, data, cause } = (thrown ?? {}) as Thrown
  const status = Number(data?.httpStatus ?? cause?.code)
  const obstructed = cause?.foreign === true
  // A tRPC server without our procedures, such as an older one in the middle of a deploy, refuses nothing.
  const answered = Boolean(shape) && !message.startsWith('No procedure found')
  if (!answered && (status === 404 || obstructed) && url !== undefined)
    return { error: noRouter(url, cause ?? thrown), retry: true, obstructed }
  const [, said, sentence = message] = ours.exec(message) ?? []
  const code = (said as LocationErrorCode | undefined) ?? codeOf(status)
  // For a server without the field, the time is read from the end of the message. Elsewhere, a message may name other
  // times.
  const wait = Number(data?.retryAfterMs ?? /\bagain in (\d+) ms\.?$/.exec(message)?.[1])
  const retryAfterMs = clamped(wait, 1, 3_600_000, undefined)
  const error = new LocationError(code, sentence, { cause: thrown, ...(retryAfterMs && { retryAfterMs }) })
  return { error, retry: !answered || /^(network|unavailable|rate-limited)$/.test(code), answered }
}

const noRouter = (url: string, cause: unknown) =>
  new LocationError(
    'misconfigured',
    `No Hereabouts router answered at ${url}. Check the tRPC URL, such as /trpc, and the path.`,
    { cause },
  )

/**
 * Returns the error for an answer that is not from our server but, for example, from a proxy. `foreign` is true for
 * status 200, which a login page or an index.html has.
 */
export const foreignAnswer = (status: number) =>
  Object.assign(new Error(`The server answered ${status}.`), { code: status, foreign: status === 200 })

/** Returns the failure of a stream that ended and may be opened again. */
export const cut = (why: string, obstructed = false): Failure => ({
  error: new LocationError('network', `The stream ended (${why}).`),
  retry: true,
  obstructed,
})

const codes: Record<number, LocationErrorCode> = {
  401: 'unauthorized',
  403: 'forbidden',
  413: 'too-large',
  429: 'rate-limited',
}
const codeOf = (status: number): LocationErrorCode =>
  codes[status] ?? (status >= 500 ? 'unavailable' : status >= 400 ? 'bad-input' : 'network')
