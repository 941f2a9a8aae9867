import { LocationError } from '../../shared/errors.js'
import { isProbing, type ConnectionState } from './connection-state.js'

export type RoomStatus =
  | { state: 'connecting' }
  | { state: 'live' }
  /** There is a stream, but the server cannot reach its own store: what one sees may be old, and no move gets through. */
  | { state: 'degraded' }
  /** No stream gets through, for the reason `error`: single requests ask what is new every few seconds. */
  | { state: 'polling'; error: LocationError }
  /** Neither; `attempt` counts those in a row that failed. */
  | { state: 'waiting'; retryAt: Date; attempt: number; error: LocationError }
  /** For good, unless `retry()`: `left` and no error, or the error's code. */
  | { state: 'closed'; reason: string; error: LocationError | null }

/** What an app is told of where the line stands. */
export function statusOf(link: ConnectionState): RoomStatus {
  const { obstacle, failures } = link
  switch (link.state) {
    case 'live':
      return { state: link.degraded ? 'degraded' : 'live' }
    case 'polling':
      if (link.answered) return { state: 'polling', error: link.error }
      return { state: 'connecting' }
    case 'waiting':
      // Between two streams of which the first served its time, nothing has failed yet.
      if (!failures) return { state: 'connecting' }
      return { state: 'waiting', retryAt: new Date(link.retryAt), attempt: failures, error: link.error }
    case 'closed':
      return { state: 'closed', reason: link.reason, error: link.error }
    default:
      return obstacle && isProbing(link) ? { state: 'polling', error: obstacle.error } : { state: 'connecting' }
  }
}

/** Why nothing more comes of a room; `false` while something may. */
export const closedBy = (link: ConnectionState): LocationError | false =>
  link.state === 'closed' && (link.error ?? new LocationError('closed', 'The room was left: join it again.'))
