import { LocationError, type LocationErrorCode } from '../../shared/errors.js'

/** What became of a call that gave no answer, and what to tell the app. */
export type Failure = {
  error: LocationError
  /** Whether asking again may help. */
  retry: boolean
  /** Something between us and the server lets no stream through; single requests may get there. */
  obstructed?: boolean
}

// Our server writes `<code>: <sentence>`; the app's own middleware writes as it likes.
const ours = /^(bad-input|too-large|rate-limited|unauthorized|forbidden|connection-owned|room-full|unavailable): (.+)/s

/** As much as we read of a TRPCClientError, and of what is inside it when it was not tRPC that answered. */
type Thrown = {
  message?: string
  shape?: object | null
  data?: { httpStatus?: number } | null
  cause?: { code?: unknown; foreign?: boolean }
}

/**
 * Only what a procedure says is final: a bare status may come from a proxy in the middle of a deploy.
 *
 * @param url where the procedures should be, for who got that wrong.
 */
export function failureOf(thrown: unknown, url?: string): Failure {
  const { message = 'no answer', shape, data, cause } = (thrown ?? {}) as Thrown
  const status = Number(data?.httpStatus ?? cause?.code)
  const obstructed = cause?.foreign === true
  if (!shape && (status === 404 || obstructed) && url !== undefined)
    return { error: nothingThere(url, thrown), retry: true, obstructed }
  const [, said, sentence = message] = ours.exec(message) ?? []
  const code = (said as LocationErrorCode | undefined) ?? codeOf(status)
  const [, wait] = /in (\d+) ms/.exec(message) ?? []
  const error = new LocationError(code, sentence, { cause: thrown, ...(wait && { retryAfterMs: Number(wait) }) })
  return { error, retry: !shape || /^(network|unavailable|rate-limited)$/.test(code) }
}

const nothingThere = (url: string, cause: unknown) =>
  new LocationError('misconfigured', `Nothing of Hereabouts answers at ${url}: is it the tRPC URL, such as /trpc?`, {
    cause,
  })

/** Whoever answered is no server of ours: a proxy, a login page, an index.html. */
export class ForeignAnswer extends Error {
  readonly code: number
  /** It even said that all is well. */
  readonly foreign: boolean
  constructor(status: number) {
    super(`The server answered ${status}.`)
    this.code = status
    this.foreign = status === 200
  }
}

/** The stream ended, for a reason that says: come back. */
export const cut = (why: string, obstructed = false): Failure => ({
  error: new LocationError('network', `The stream ended (${why}).`),
  retry: true,
  obstructed,
})

function codeOf(status: number): LocationErrorCode {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 413) return 'too-large'
  if (status === 429) return 'rate-limited'
  if (status >= 500) return 'unavailable'
  return status >= 400 ? 'bad-input' : 'network'
}
