/**
 * The error codes. Each code stands for one reaction of the caller.
 *
 * | code | meaning | reaction |
 * |---|---|---|
 * | `bad-input` | a value does not match its schema | correct the value |
 * | `too-large` | a value exceeds a limit in bytes or levels | send less |
 * | `rate-limited` | too many calls in a short time | wait `retryAfterMs` |
 * | `unauthorized` | the caller is not signed in, or no longer is | sign in, then call `room.retry()` |
 * | `forbidden` | the member may not do this in this room | ask for access |
 * | `connection-owned` | the connectionKey belongs to another member | generate a new key, once |
 * | `room-full` | the room or the member has the maximum of connections in this room | close another connection |
 * | `unavailable` | the server is draining, is full, or cannot reach its backend | retry later |
 * | `network` | no response, or a response from something other than the server | retry later |
 * | `closed` | the app closed the room, client or hub | open a new one |
 * | `misconfigured` | an option is invalid, or options contradict each other | correct the code |
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

/**
 * The error class of this package. The message says what to do next and never contains a location.
 *
 * With `misconfigured`, `cause.code` distinguishes some causes: Node's code, such as `EADDRINUSE`, when a server cannot
 * listen, and the HTTP status when no location router answered at a client's URL.
 */
export class LocationError extends Error {
  override readonly name = 'LocationError'
  readonly code: LocationErrorCode
  /** How long to wait before a retry, in milliseconds. Set with `rate-limited`. */
  readonly retryAfterMs: number | undefined

  constructor(code: LocationErrorCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }
}
