/**
 * Everything that can go wrong, by what the caller can do about it.
 *
 * | code | means | do |
 * |---|---|---|
 * | `bad-input` | a value is not what its schema says | correct it |
 * | `too-large` | more bytes or levels than the limit | send less |
 * | `rate-limited` | too many calls in a short time | wait `retryAfterMs` |
 * | `unauthorized` | nobody is signed in, or no longer | sign in, then `room.retry()` |
 * | `forbidden` | the member may not do this in this room | ask for access |
 * | `connection-owned` | the connectionKey is another member's | make a new key, once |
 * | `room-full` | the room, or the member in it, has all the connections it may have | leave somewhere else |
 * | `unavailable` | the server drains, is full, or lost its backend | try again later |
 * | `network` | no answer, or not one of ours | try again later |
 * | `closed` | the room, client or hub was closed by its owner | open a new one |
 * | `misconfigured` | options that cannot work together | correct the code |
 */
export type LocationErrorCode =
  | 'bad-input'
  | 'too-large'
  | 'rate-limited'
  | 'unauthorized'
  | 'forbidden'
  | 'connection-owned'
  | 'room-full'
  | 'unavailable'
  | 'network'
  | 'closed'
  | 'misconfigured'

/** The one error of this package. Its message says what to do next and never holds a location. */
export class LocationError extends Error {
  override readonly name = 'LocationError'
  readonly code: LocationErrorCode
  /** With `rate-limited`: how long to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(code: LocationErrorCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }
}
