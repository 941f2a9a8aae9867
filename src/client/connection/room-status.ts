import { LocationError } from '../../shared/errors.js'
import { dateAt, type Clock } from '../../shared/clock.js'
import { isProbing, type ConnectionState } from './connection-state.js'
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
  switch (link.state) {
    case 'live':
      return { state: link.degraded ? 'degraded' : 'live' }
    case 'polling':
      return { state: link.answered ? 'polling' : 'connecting', error: link.error }
    case 'waiting':
      // Between two streams of which the first served its time, nothing has failed yet.
      if (!failures) return { state: 'connecting' }
      return { state: 'waiting', retryAt: dateAt(clock, link.retryAt), attempt: failures, error: link.error }
    case 'closed':
      return { state: 'closed', reason: link.reason, error: link.error }
    default:
      return obstacle && isProbing(link)
        ? { state: 'polling', error: obstacle.error }
        : { state: 'connecting', ...(link.error && { error: link.error }) }
  }
}

/** Returns the error of a closed connection; `false` when it is not closed. */
export const closedBy = (link: ConnectionState): LocationError | false =>
  link.state === 'closed' && (link.error ?? new LocationError('closed', 'The room was left: join it again.'))
