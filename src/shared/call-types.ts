import type { Activity, LocationEvent } from './events.js'
import type { RoomTypes } from './room-types.js'

/*
 * The inputs and outputs of the five procedures that every router has. Every type here is a `type` alias and no
 * interface: events.ts says why.
 */

/** The input of `postLocation`: enters the room, or updates a connection in it. */
export type PostLocationInput<T extends RoomTypes = RoomTypes> = {
  room: string
  /** The location of the connection. `null`: present in the room, without a location. */
  location: T['location'] | null
  /**
   * The key of the connection that posts. Default: the member's default connection, which all calls without a key
   * share. An anonymous caller receives a new key in the reply.
   */
  connectionKey?: string | undefined
  /** A number that orders the posts of one connection. Default: one more than the `seq` of the last post. */
  seq?: number | undefined
  /** The profile of the member. Default: unchanged. `null` removes the profile. */
  profile?: T['profile'] | null | undefined
  /** The activity of the connection. Default: unchanged; `active` in the first post. */
  activity?: Activity | undefined
  /** The whole presence value. Default: unchanged; `{}` in the first post. Only for a router with a presence schema. */
  presence?: T['presence'] | undefined
  /**
   * Marks the connection as used even if nothing else changed. The connection that was used last speaks for its member:
   * the member has its location, profile and presence value.
   */
  used?: true | undefined
  /**
   * The time since this connection was last used, in milliseconds, at most a day. Only counts in the post with which the
   * connection enters the room.
   */
  activeAgoMs?: number | undefined
  /** A secret key that identifies an anonymous member across several connections. */
  memberKey?: string | undefined
  /** How long the connection stays present without another post, in milliseconds. Default 30,000; 5,000 to 300,000. */
  leaseMs?: number | undefined
  lastEventId?: string | undefined
}

/**
 * The outcome of a post.
 *
 * - `applied`: the room shows the post.
 * - `same`: the room already showed exactly these values. The lease is renewed.
 * - `stale`: ignored, because a newer post of this connection has already been applied.
 * - `expired`: ignored, because the lease had expired. Post again with `seq + 1`.
 * - `left`: ignored, because this connection has left. Its id stays blocked for a minute; use a new key.
 */
export type PostOutcome = 'applied' | 'same' | 'stale' | 'expired' | 'left'

/** The output of `postLocation`. */
export type PostLocationOutput = {
  outcome: PostOutcome
  connectionId: string
  memberId: string
  /** The highest `seq` that the room has stored for this connection. */
  seq: number
  /** The id of the first event that shows the post. Only with `applied`, and only for callers who may read the room. */
  id?: string
  /**
   * Present while the room is busy: the time to leave between two posts, in milliseconds. It applies until a reply
   * without `postMs` or the next `hello`. A post that only renews the lease need not wait.
   */
  postMs?: number
  /** The key of the connection. Present only when the server generated the key. Send it with the next post. */
  connectionKey?: string
}

/**
 * The input of `onLocation`. With `lastEventId` the stream resumes after that event, if the server still knows what
 * changed since.
 */
export type OnLocationInput = {
  room: string
  connectionKey?: string | undefined
  lastEventId?: string | null | undefined
}

/**
 * The input of `getLocations`. With `lastEventId` the answer is only what changed since that event, if the server still
 * knows these changes and they concern at most half of the room. Otherwise it is a snapshot.
 */
export type GetLocationsInput = { room: string; lastEventId?: string | null | undefined }
/**
 * The output of `getLocations`: one event of the room, and the id from which a stream or the next call resumes. The
 * other fields describe the server's features, like those of `hello`.
 */
export type GetLocationsOutput<T extends RoomTypes = RoomTypes> = {
  id: string
  event: LocationEvent<T>
  features?: string[]
  presenceMs?: number
  locks?: { lockMs: number; idleMs: number }
}

/** The input of `leaveRoom`. */
export type LeaveRoomInput = {
  room: string
  /** Default: the member's default connection, which all calls without a key share. */
  connectionKey?: string | undefined
  /**
   * The highest `seq` that the leaving connection posted. A post with a higher `seq` cancels a leave that has a grace
   * period.
   */
  seq?: number | undefined
  /**
   * How long the server waits for another post before the connection leaves, in milliseconds. Default 0; at most 5,000.
   */
  graceMs?: number | undefined
  lastEventId?: string | undefined
}
/** The output of `leaveRoom`. `leaving`: the connection leaves when its grace period is over. */
export type LeaveRoomOutput = { outcome: 'left' | 'leaving' }

/** The input of `countMembers`: the ids of the rooms to count. */
export type CountMembersInput = { rooms: string[] }
/** The output of `countMembers`: the number of members of each room, without the rooms that the caller may not read. */
export type CountMembersOutput = { room: string; members: number }[]
