import { LocationError } from '../../shared/errors.js'
import { dateAt, type Clock } from '../../shared/clock.js'
import { isPresent, type ConnectionState } from './connection-state.js'
import type { TransportName } from './transport.js'

/** The state of the connection to a room. docs/errors-and-offline.md says what to show for each state. */
export type RoomStatus = {
  /** Why others do not see our newest location: the post was refused, or fails again and again. Absent when it is delivered. */
  postError?: LocationError
  /** The transport of the events, for a client with `webSocket()`: `sse` where WebSockets do not get through. */
  transport?: TransportName
} &
  /** `error`: why the previous attempt failed. */
  (
    | { state: 'connecting'; error?: LocationError }
    | { state: 'live' }
    /** The stream is open, but the server cannot reach its backend: the room may be out of date, and posts fail. */
    | { state: 'degraded' }
    /** Streams are blocked, for the reason `error`: the client polls every few seconds. */
    | { state: 'polling'; error: LocationError }
    /** Disconnected until `retryAt`; `attempt` counts the failures in a row. */
    | { state: 'waiting'; retryAt: Date; attempt: number; error: LocationError }
    /** Closed until `retry()`. `reason` is `left` (without an error) or the error's code. */
    | { state: 'closed'; reason: string; error: LocationError | null }
  )

/** Returns the status that the app sees. */
export function statusOf(link: ConnectionState, clock: Clock): RoomStatus {
  const { obstacle, failures } = link
  if (link.state === 'closed') return { state: 'closed', reason: link.reason, error: link.error }
  if (link.state === 'live') return { state: link.degraded ? 'degraded' : 'live' }
  if (obstacle && isPresent(link)) return { state: 'polling', error: obstacle.error }
  // After a stream that ended as a matter of routine, nothing has failed yet: the status is `connecting`.
  if (link.state === 'waiting' && failures)
    return { state: 'waiting', retryAt: dateAt(clock, link.retryAt), attempt: failures, error: link.error }
  return { state: 'connecting', ...(link.state !== 'waiting' && link.error && { error: link.error }) }
}

/** Returns the error of a closed connection; `false` when it is not closed. */
export const closedBy = (link: ConnectionState): LocationError | false =>
  link.state === 'closed' && (link.error ?? new LocationError('closed', 'The room was left: join it again.'))
