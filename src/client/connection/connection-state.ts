import type { LocationError, LocationErrorCode } from '../../shared/errors.js'
import type { Failure } from './failure.js'

/** What is remembered from one stream to the next. */
type Memory = {
  /** How many times in a row there was neither a stream that lasted for a beat nor a poll that was answered. */
  readonly failures: number
  /** Refusals that were given a second chance since a stream was last live. */
  readonly forgiven: readonly LocationErrorCode[]
  /** Before this, a digest that does not match is not acted upon again. */
  readonly mendableAt: number
  /** What let no stream through, how often in a row, and when the next one is worth a try: until then we poll. */
  readonly obstacle: { readonly error: LocationError; readonly times: number; readonly until: number } | null
}

/** Where a room's line to the server stands. Replaced, never changed. */
export type ConnectionState = Memory &
  (
    | { readonly state: 'connecting' }
    | { readonly state: 'live'; readonly since: number; readonly degraded: boolean }
    | { readonly state: 'polling'; readonly answered: boolean; readonly error: LocationError }
    | { readonly state: 'waiting'; readonly retryAt: number; readonly error: LocationError }
    | { readonly state: 'closed'; readonly reason: string; readonly error: LocationError | null }
  )

/** A retryContext, as the pure steps are told of it: the time, a random number of [0, 1), and the server's beat. */
export type RetryContext = { now: number; random: number; beatMs: number }

/** Full jitter: anything between nothing and a limit that doubles with each failure, from beat / 20 to three beats. */
export function backoffMs(failures: number, { random, beatMs }: RetryContext): number {
  return random * Math.min(3 * beatMs, (beatMs / 20) * 2 ** Math.max(0, failures - 1))
}

/** The same, but no less than the server asked for. */
export const retryDelayMs = (failures: number, error: LocationError, retryContext: RetryContext) =>
  Math.max(backoffMs(failures, retryContext), error.retryAfterMs ?? 0)

/** Refusals that may be cured by asking once more: with headers made anew, or with a new key. */
export const isForgivable = (code: LocationErrorCode) => code === 'unauthorized' || code === 'connection-owned'

export const connecting = (): ConnectionState => ({
  state: 'connecting',
  failures: 0,
  forgiven: [],
  mendableAt: 0,
  obstacle: null,
})

/** It is time: the next stream opens, or the next poll begins where no stream gets through. */
export function reconnecting(link: ConnectionState, now: number): ConnectionState {
  const { obstacle } = link
  if (!obstacle || now >= obstacle.until) return { ...memoryOf(link), state: 'connecting' }
  return { ...memoryOf(link), state: 'polling', answered: false, error: obstacle.error }
}

/** The server said hello. */
export function opened(link: ConnectionState, now: number): ConnectionState {
  return { ...memoryOf(link), forgiven: [], obstacle: null, state: 'live', since: now, degraded: false }
}

/** A poll was answered. */
export function polled(link: ConnectionState): ConnectionState {
  if (link.state !== 'polling' || link.answered) return link
  return { ...link, failures: 0, forgiven: [], answered: true }
}

/** The server lost its backend, or has it back: what one sees may be old, and no move gets through. */
export function degraded(link: ConnectionState, degraded: boolean): ConnectionState {
  return link.state === 'live' && link.degraded !== degraded ? { ...link, degraded } : link
}

/** The stream ended, or did not begin; or a poll failed. */
export function ended(link: ConnectionState, failure: Failure, retryContext: RetryContext): ConnectionState {
  const { error, retry, obstructed } = failure
  const { forgiven, mendableAt, obstacle } = link
  // While polls go on, a stream that is tried in vain takes nothing away.
  if (obstructed || (retry && isProbing(link))) return obstructedBy(link, error, retryContext)
  if (!retry) {
    if (!isForgivable(error.code) || forgiven.includes(error.code))
      return { ...memoryOf(link), state: 'closed', reason: error.code, error }
    return {
      ...memoryOf(link),
      forgiven: [...forgiven, error.code],
      state: 'waiting',
      retryAt: retryContext.now,
      error,
    }
  }
  // A stream that served for a beat and was cut is routine: rotation, a deploy. One that keeps ending sooner is not.
  const failures = link.state === 'live' && retryContext.now - link.since >= retryContext.beatMs ? 0 : link.failures + 1
  const retryAt = retryContext.now + retryDelayMs(failures, error, retryContext)
  return { failures, forgiven, mendableAt, obstacle, state: 'waiting', retryAt, error }
}

/** No stream gets through: tried again after half a minute, then ever more seldom, up to five minutes. */
function obstructedBy(
  link: ConnectionState,
  error: LocationError,
  { now, random, beatMs }: RetryContext,
): ConnectionState {
  const times = (link.obstacle?.times ?? 0) + 1
  // What was in the way at first says more than how the last try went.
  const why = link.obstacle?.error ?? error
  const until = now + Math.min(30 * beatMs, 3 * beatMs * 2 ** (times - 1)) * (1 - random / 5)
  // Whoever polled while the stream was tried polls on.
  const answered = times > 1 && link.failures === 0
  return { ...memoryOf(link), obstacle: { error: why, times, until }, state: 'polling', answered, error: why }
}

/**
 * The viewer found that it missed something. The same link when it must live with it for now: a digest that never
 * matches would have everybody load the room again at each beat.
 */
export function diverged(
  link: ConnectionState,
  because: string,
  failure: Failure,
  retryContext: RetryContext,
): ConnectionState {
  if (because !== 'digest') return ended(link, failure, retryContext)
  if (retryContext.now < link.mendableAt) return link
  return {
    ...ended(link, failure, retryContext),
    mendableAt: retryContext.now + 6 * retryContext.beatMs * (1 + retryContext.random),
  }
}

/** There is reason to hope: back online, or somebody looks again. */
export function hurried(link: ConnectionState, retryContext: RetryContext): ConnectionState {
  const soon = retryContext.now + backoffMs(0, retryContext)
  if (link.state === 'polling' && link.obstacle && link.obstacle.until > soon)
    return { ...link, obstacle: { ...link.obstacle, until: soon } }
  // What the server asked for stands.
  if (link.state !== 'waiting' || link.error.retryAfterMs) return link
  return { ...link, retryAt: Math.min(link.retryAt, soon) }
}

/** Whether what happens in the room reaches us. */
export const isPresent = (link: ConnectionState): boolean =>
  link.state === 'live' || (link.state === 'polling' && link.answered) || isProbing(link)

/** A stream is tried again while polls go on. */
export const isProbing = (link: ConnectionState): boolean =>
  link.state === 'connecting' && link.obstacle !== null && link.failures === 0

const memoryOf = ({ failures, forgiven, mendableAt, obstacle }: ConnectionState): Memory => ({
  failures,
  forgiven,
  mendableAt,
  obstacle,
})
