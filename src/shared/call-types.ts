import type { Activity, LocationEvent } from './events.js'
import type { RoomTypes } from './room-types.js'

/* The inputs and outputs of the five procedures. Every type is a `type`: see events.ts. */

export type PostLocationInput<T extends RoomTypes = RoomTypes> = {
  room: string
  /** `null`: present in the room, without a location. */
  location: T['location'] | null
  /** Default: the member's one default connection. An anonymous caller receives a new key in the reply. */
  connectionKey?: string | undefined
  /** Orders the posts of one connection. Default: one more than the last. */
  seq?: number | undefined
  /** Default: unchanged. `null` takes the profile back. */
  profile?: T['profile'] | null | undefined
  /** Default: unchanged; `active` in the first post. */
  activity?: Activity | undefined
  /** Identifies an anonymous member across several connections. */
  memberKey?: string | undefined
  /** How long the connection stays present without another post, in milliseconds. Default 30,000; 5,000 to 300,000. */
  leaseMs?: number | undefined
  lastEventId?: string | undefined
}

/**
 * - `applied`: the room shows the post.
 * - `same`: the room already showed exactly this. The lease is renewed.
 * - `stale`: ignored, because a newer post of this connection has already been applied.
 * - `expired`: ignored, because the lease had expired. Post again with `seq + 1`.
 * - `left`: ignored, because this connection has left. Its id stays blocked for a minute; use a new key.
 */
export type PostOutcome = 'applied' | 'same' | 'stale' | 'expired' | 'left'

export type PostLocationOutput = {
  outcome: PostOutcome
  connectionId: string
  memberId: string
  /** The highest `seq` that the room has stored for this connection. */
  seq: number
  /** The id of the first event that shows the post. Only with `applied`, and only for callers who may read the room. */
  id?: string
  /** Present only when the server generated it. Send it with the next post. */
  connectionKey?: string
}

export type OnLocationInput = {
  room: string
  connectionKey?: string | undefined
  lastEventId?: string | null | undefined
}

export type GetLocationsInput = { room: string; lastEventId?: string | null | undefined }
export type GetLocationsOutput<T extends RoomTypes = RoomTypes> = { id: string; event: LocationEvent<T> }

export type LeaveRoomInput = {
  room: string
  /** Default: the member's one default connection. */
  connectionKey?: string | undefined
  /** The highest `seq` that this connection posted. A newer post undoes a leave that has a grace period. */
  seq?: number | undefined
  /**
   * How long the server waits for another post before the connection leaves, in milliseconds. Default 0; at most 5,000.
   */
  graceMs?: number | undefined
  lastEventId?: string | undefined
}
export type LeaveRoomOutput = { outcome: 'left' | 'leaving' }

export type CountMembersInput = { rooms: string[] }
export type CountMembersOutput = { room: string; members: number }[]
