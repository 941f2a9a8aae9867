import { LocationError } from '../../shared/errors.js'
import type { Timing } from '../options/timing.js'

/** The timeouts of a Node server that bound how long a request and an idle socket may take, in milliseconds; 0 disables one. */
export type ServerTimeouts = { headersTimeout?: number; requestTimeout?: number; timeout?: number }

/**
 * The default time that an idle connection stays open: longer than the 60 seconds after which common load balancers
 * (ALB, nginx, HAProxy) close one.
 */
const defaultKeepAliveMs = 70_000
/** The longest delay of a timer in Node. */
const longestTimerMs = 2 ** 31 - 1

/**
 * Returns how long an idle connection stays open, in milliseconds. Default 70,000.
 *
 * @throws LocationError `misconfigured` when `keepAliveMs` is not a usable time.
 */
export function idleTimeoutMs(keepAliveMs = defaultKeepAliveMs): number {
  if (typeof keepAliveMs === 'number' && keepAliveMs > 0 && keepAliveMs <= longestTimerMs) return Math.ceil(keepAliveMs)
  throw new LocationError(
    'misconfigured',
    `keepAliveMs is ${String(keepAliveMs)}: it must be above 0 and at most ${longestTimerMs} milliseconds.`,
  )
}

/**
 * Returns the timeouts for a server that this package creates. Headers must arrive within half of `requestMs`, the
 * whole request within three quarters: Node checks only at intervals, and a slow request must be cut before the
 * tombstone that it could conflict with expires.
 */
export function nodeTimeouts({ requestMs }: Pick<Timing, 'requestMs'>, keepAliveTimeout: number) {
  const longestMs = Math.max(requestMs, 1_000)
  // Node takes whole numbers only.
  return {
    headersTimeout: Math.round(longestMs / 2),
    requestTimeout: Math.round((longestMs * 3) / 4),
    keepAliveTimeout,
    connectionsCheckingInterval: Math.round(longestMs / 20),
  }
}

/**
 * Returns a warning for each timeout of an app's own server that is too long. Node's default `requestTimeout` is five
 * minutes, and its default `timeout` is 0, which means none.
 */
export function serverTimeoutWarnings(
  { headersTimeout, requestTimeout, timeout }: ServerTimeouts,
  { requestMs, tombstoneMs, beatMs }: Pick<Timing, 'requestMs' | 'tombstoneMs' | 'beatMs'>,
): string[] {
  const warnings = []
  if (requestTimeout !== undefined && (requestTimeout === 0 || requestTimeout >= tombstoneMs))
    warnings.push(
      `server.requestTimeout is ${requestTimeout}: a request that takes longer than ${tombstoneMs} ms may bring back a connection that left; set it to ${requestMs}.`,
    )
  if (headersTimeout === 0)
    warnings.push(
      'server.headersTimeout is 0: a request whose headers never end holds its socket forever; set a timeout.',
    )
  // Heartbeats keep an idle stream open only when they are sent more often than the server's `timeout` expires.
  if (timeout === 0)
    warnings.push(
      `server.timeout is 0: an answer of your own routes that its client does not read stays in memory; set it to ${beatMs * 1.5}.`,
    )
  return warnings
}
