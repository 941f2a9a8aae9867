import type { LocationError, LocationErrorCode } from '../shared/errors.js'
import type { Failure } from './failure.js'

/** What is remembered from one stream to the next. */
type Memory = {
  /** How many times in a row there was no stream that lasted for a beat. */
  readonly failures: number
  /** Refusals that were given a second chance since a stream was last live. */
  readonly forgiven: readonly LocationErrorCode[]
  /** Before this, a digest that does not match is not acted upon again. */
  readonly mendableAt: number
}

/** Where a room's line to the server stands. Replaced, never changed. */
export type Reconnect = Memory &
  (
    | { readonly state: 'connecting' }
    | { readonly state: 'live'; readonly since: number }
    | { readonly state: 'waiting'; readonly retryAt: number; readonly error: LocationError }
    | { readonly state: 'closed'; readonly reason: string; readonly error: LocationError | null }
  )

/** A moment, as the pure steps are told of it: the time, a random number of [0, 1), and the server's beat. */
export type Moment = { now: number; random: number; beatMs: number }

/** Full jitter: anything between nothing and a limit that doubles with each failure, from beat / 20 to three beats. */
export function backoffMs(failures: number, { random, beatMs }: Moment): number {
  return random * Math.min(3 * beatMs, (beatMs / 20) * 2 ** Math.max(0, failures - 1))
}

/** The same, but no less than the server asked for. */
export const retryDelayMs = (failures: number, error: LocationError, moment: Moment) =>
  Math.max(backoffMs(failures, moment), error.retryAfterMs ?? 0)

/** Refusals that may be cured by asking once more: with headers made anew, or with a new key. */
export const isForgivable = (code: LocationErrorCode) => code === 'unauthorized' || code === 'connection-owned'

export const connecting = (): Reconnect => ({ state: 'connecting', failures: 0, forgiven: [], mendableAt: 0 })

/** It is time: the next stream opens. */
export const reconnecting = (link: Reconnect): Reconnect => ({ ...memoryOf(link), state: 'connecting' })

/** The server said hello. */
export function opened(link: Reconnect, now: number): Reconnect {
  return { ...memoryOf(link), forgiven: [], state: 'live', since: now }
}

/** The stream ended, or did not begin. */
export function ended(link: Reconnect, { error, retry }: Failure, moment: Moment): Reconnect {
  const { forgiven, mendableAt } = link
  if (!retry) {
    if (!isForgivable(error.code) || forgiven.includes(error.code))
      return { ...memoryOf(link), state: 'closed', reason: error.code, error }
    return { ...memoryOf(link), forgiven: [...forgiven, error.code], state: 'waiting', retryAt: moment.now, error }
  }
  // A stream that served for a beat and was cut is routine: rotation, a deploy. One that keeps ending sooner is not.
  const failures = link.state === 'live' && moment.now - link.since >= moment.beatMs ? 0 : link.failures + 1
  const retryAt = moment.now + retryDelayMs(failures, error, moment)
  return { failures, forgiven, mendableAt, state: 'waiting', retryAt, error }
}

/**
 * The viewer found that it missed something. The same link when it must live with it for now: a digest that never
 * matches would have everybody load the room again at each beat.
 */
export function diverged(link: Reconnect, because: string, failure: Failure, moment: Moment): Reconnect {
  if (because !== 'digest') return ended(link, failure, moment)
  if (moment.now < link.mendableAt) return link
  return { ...ended(link, failure, moment), mendableAt: moment.now + 6 * moment.beatMs * (1 + moment.random) }
}

/** There is reason to hope: back online, or somebody looks again. */
export function hurried(link: Reconnect, moment: Moment): Reconnect {
  // What the server asked for stands.
  if (link.state !== 'waiting' || link.error.retryAfterMs) return link
  return { ...link, retryAt: Math.min(link.retryAt, moment.now + backoffMs(0, moment)) }
}

const memoryOf = ({ failures, forgiven, mendableAt }: Reconnect): Memory => ({ failures, forgiven, mendableAt })
