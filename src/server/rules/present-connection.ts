import type { Connection } from '../../shared/events.js'
import type { StoredValue } from './backend.js'

/** A present connection. `leaseEnd` is a time of the clock whose `now` is passed to `act`. */
export type PresentConnection = {
  connectionId: string
  memberId: string
  location: StoredValue
  profile: StoredValue
  activity: Connection['activity']
  presence: StoredValue
  at: number
  /** The version at which the connection was last used. */
  activeAt: number
  seq: number
  leaseMs: number
  leaseEnd: number
  /** For how long the lease clock had stood still at the connection's last accepted post, in milliseconds. */
  stalledMs: number
  /**
   * The connection asked to leave with a grace period: when its lease expires, the reason is `left` instead of `lost`.
   */
  leaving: boolean
}

/** The profile of a connection that never sent one. */
export const noProfile: StoredValue = { json: 'null', value: null }
/** The presence value of a connection that never sent one. */
export const noPresence: StoredValue = { json: '{}', value: {} }

/** Returns a present connection as viewers see it, without its locks. */
export function shownConnection({
  location,
  profile,
  presence,
  at,
  activeAt,
  ...known
}: PresentConnection): Connection {
  const { connectionId, memberId, activity } = known
  return {
    connectionId,
    memberId,
    profile: profile.value,
    location: location.value,
    activity,
    ...(presence.json !== noPresence.json && { presence: presence.value }),
    at,
    ...(activeAt !== at && { activeAt }),
  }
}
