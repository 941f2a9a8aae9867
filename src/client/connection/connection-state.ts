import type { LocationError, LocationErrorCode } from '../../shared/errors.js'
import { cut, type Failure } from './failure.js'

/** The part of the state that is kept from one stream to the next. */
type Memory = {
  /**
   * The number of attempts in a row with neither a stream that lasted for a heartbeat interval nor an answered poll.
   */
  readonly failures: number
  /** The time of the first of these failures. */
  readonly failingSince: number
  /** The codes of refusals that were retried once since a stream last lasted for a heartbeat interval. */
  readonly forgiven: readonly LocationErrorCode[]
  /** Until this time, a digest mismatch is ignored. */
  readonly mendableAt: number
  /** The server asked us not to open a stream before this time. */
  readonly askedUntil: number
  /** Why streams are blocked, how often in a row, and when the next one is tried: until then we poll. */
  readonly obstacle: { readonly error: LocationError; readonly times: number; readonly until: number } | null
}

/** The state of a room's connection to the server. Immutable: each step returns a new one. */
export type ConnectionState = Memory &
  (
    | { readonly state: 'connecting'; readonly error?: LocationError }
    | { readonly state: 'live'; readonly since: number; readonly degraded: boolean }
    | { readonly state: 'polling'; readonly answered: boolean; readonly error: LocationError }
    | { readonly state: 'waiting'; readonly retryAt: number; readonly error: LocationError }
    | { readonly state: 'closed'; readonly reason: string; readonly error: LocationError | null }
  )

/** The inputs of the retry rules: the time, a random number in [0, 1), and the server's heartbeat interval. */
export type RetryContext = { now: number; random: number; beatMs: number }

/**
 * Backoff with full jitter: from 0 to a limit that doubles with each failure, from beatMs / 20 to 3 * beatMs. The limit
 * is at most `failingMs`, the time since the first failure: after an outage no client waits longer than the outage
 * took, and the clients are spread over that time.
 */
export function backoffMs(failures: number, { random, beatMs }: RetryContext, failingMs = Infinity): number {
  const least = beatMs / 20
  return random * Math.min(3 * beatMs, least * 2 ** Math.max(0, failures - 1), Math.max(least, failingMs))
}

/** Returns the time until a retry: the backoff, but at least the `retryAfterMs` of the server's error. */
export const retryDelayMs = (failures: number, error: LocationError, context: RetryContext, failingMs?: number) =>
  Math.max(backoffMs(failures, context, failingMs), error.retryAfterMs ?? 0)

/** Refusals that one retry may cure, with fresh headers or a new key. */
export const isForgivable = (code: LocationErrorCode) => code === 'unauthorized' || code === 'connection-owned'

export const connecting = (): ConnectionState => ({
  state: 'connecting',
  failures: 0,
  failingSince: 0,
  forgiven: [],
  mendableAt: 0,
  askedUntil: 0,
  obstacle: null,
})

/** The wait is over: opens the next stream, or polls while streams are blocked. */
export function reconnecting(link: ConnectionState, now: number): ConnectionState {
  const { obstacle } = link
  if (!obstacle || now >= obstacle.until) {
    const error = link.state === 'waiting' && link.failures ? { error: link.error } : {}
    return { ...memoryOf(link), ...error, state: 'connecting' }
  }
  return { ...memoryOf(link), state: 'polling', answered: false, error: obstacle.error }
}

/** The server said hello. */
export function opened(link: ConnectionState, now: number): ConnectionState {
  return { ...memoryOf(link), askedUntil: 0, obstacle: null, state: 'live', since: now, degraded: false }
}

/** A poll was answered. A stream whose hello is still awaited then counts as held back. */
export function polled(link: ConnectionState, now: number): ConnectionState {
  if (link.state === 'connecting' && !link.obstacle)
    return { ...link, failures: 0, obstacle: { error: cut('no answer').error, times: 0, until: now } }
  return link.state !== 'polling' || link.answered ? link : { ...link, answered: true }
}

/**
 * The view applied an event. While the server has lost its backend (`degraded`), the view may be out of date and posts
 * fail.
 */
export function followed(link: ConnectionState, degraded: boolean): ConnectionState {
  // While polling, failures end only with an answer that the view applied: one that it cannot apply counts as no
  // answer.
  if (link.state === 'polling' && link.failures) return { ...link, failures: 0, forgiven: [] }
  return link.state === 'live' && link.degraded !== degraded ? { ...link, degraded } : link
}

/** The stream ended or did not open, or a poll failed. */
export function ended(link: ConnectionState, failure: Failure, context: RetryContext): ConnectionState {
  const { error, retry, obstructed } = failure
  const { mendableAt } = link
  const askedUntil = Math.max(link.askedUntil, context.now + (error.retryAfterMs ?? 0))
  // A stream that lasted for a heartbeat interval and was cut is routine (rotation, a deploy); earlier ends are failures.
  const lasted = link.state === 'live' && context.now - link.since >= context.beatMs
  const forgiven = lasted ? [] : link.forgiven
  // If polls are not answered either, streams may work as well as single requests: they no longer count as blocked.
  const obstacle = link.state === 'polling' && !link.answered ? null : link.obstacle
  // While polling, a failed attempt to open a stream does not end the polls.
  if (obstructed || (retry && isProbing(link))) return obstructedBy({ ...link, askedUntil }, error, context)
  if (!retry) {
    if (!isForgivable(error.code) || forgiven.includes(error.code))
      return { ...memoryOf(link), state: 'closed', reason: error.code, error }
    return {
      ...memoryOf(link),
      forgiven: [...forgiven, error.code],
      state: 'waiting',
      retryAt: context.now,
      error,
    }
  }
  const failures = lasted ? 0 : link.failures + 1
  const failingSince = failures > 1 ? link.failingSince : context.now
  const retryAt = context.now + retryDelayMs(failures, error, context, context.now - failingSince)
  return { failures, failingSince, forgiven, mendableAt, askedUntil, obstacle, state: 'waiting', retryAt, error }
}

/** Streams are blocked: retried after half a minute, then less often, up to every five minutes. */
function obstructedBy(
  link: ConnectionState,
  error: LocationError,
  { now, random, beatMs }: RetryContext,
): ConnectionState {
  const times = (link.obstacle?.times ?? 0) + 1
  // The error of the first attempt tells more than that of the last.
  const why = link.obstacle?.error ?? error
  const waitMs = Math.min(30 * beatMs, 3 * beatMs * 2 ** (times - 1)) * (1 - random / 5)
  const until = Math.max(now + waitMs, link.askedUntil)
  // Polls that went on during the attempt continue.
  const answered = isProbing(link)
  return { ...memoryOf(link), obstacle: { error: why, times, until }, state: 'polling', answered, error: why }
}

/**
 * The view diverged from the room. Returns the same state when the divergence is tolerated: a digest that never
 * matches would make every client load the room again at each heartbeat.
 */
export function diverged(
  link: ConnectionState,
  because: string,
  failure: Failure,
  context: RetryContext,
): ConnectionState {
  if (because !== 'digest') return ended(link, failure, context)
  if (context.now < link.mendableAt) return link
  return {
    ...ended(link, failure, context),
    mendableAt: context.now + 6 * context.beatMs * (1 + context.random),
  }
}

/** A retry is likely to work: the network is back, or the page is visible again. */
export function hurried(link: ConnectionState, context: RetryContext): ConnectionState {
  // A wait that the server asked for is kept.
  const soon = Math.max(context.now + backoffMs(0, context), link.askedUntil)
  if (link.state === 'polling' && link.obstacle && link.obstacle.until > soon)
    return { ...link, obstacle: { ...link.obstacle, until: soon } }
  if (link.state !== 'waiting' || context.now < link.askedUntil) return link
  // Failures while there was no network say nothing about the next attempt: at most one is kept.
  return { ...link, failures: Math.min(link.failures, 1), retryAt: Math.min(link.retryAt, soon) }
}

/** True when the room's events reach us. */
export const isPresent = (link: ConnectionState): boolean =>
  link.state === 'live' || (link.state === 'polling' && link.answered) || isProbing(link)

/** True while a stream is tried again and polls go on beside it. */
const isProbing = (link: ConnectionState): boolean =>
  link.state === 'connecting' && link.obstacle !== null && link.failures === 0

const memoryOf = ({ failures, failingSince, forgiven, mendableAt, askedUntil, obstacle }: ConnectionState): Memory => ({
  failures,
  failingSince,
  forgiven,
  mendableAt,
  askedUntil,
  obstacle,
})
