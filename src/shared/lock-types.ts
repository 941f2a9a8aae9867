import type { RoomTypes } from './room-types.js'

/*
 * Locks: places that only one connection may edit. Every type here is a `type` alias and no interface: events.ts says
 * why.
 */

/** A place that a connection has locked. `fence` orders the grants of the place: a newer grant has a larger fence. */
export type ConnectionLock<T extends RoomTypes = RoomTypes> = { location: T['location']; fence: number }

/** The connection that holds a place, and its member. */
export type LockHolder = { memberId: string; connectionId: string }

/** The input of `lockLocation`: takes a place for a connection that is present in the room. */
export type LockLocationInput<T extends RoomTypes = RoomTypes> = {
  room: string
  connectionKey: string
  location: T['location']
  /**
   * A number that orders the lock calls of one connection: a call with a lower number than an earlier call changes
   * nothing.
   */
  lockSeq: number
  /** A claim: the fence of the lock that this connection held on this place before the server lost its state. */
  claim?: number | undefined
  /** Takes the place from another connection of the same member, even if that connection is not leaving. */
  takeOver?: true | undefined
  lastEventId?: string | undefined
}

/**
 * The output of `lockLocation`.
 *
 * - `locked`: the connection holds the place. A repeated call is answered with the same fence.
 * - `taken`: another connection holds the place. `holder: null`: the server lost its state, and for `retryAfterMs`
 *   milliseconds it only collects the claims of former holders. Call again after that.
 * - `absent`: the connection is not in the room, is leaving, or has not posted within the time that a lock lasts.
 * - `full`: the connection, or the room, has the maximum of locks.
 * - `stale`: ignored, because a call with a higher `lockSeq` arrived before.
 */
export type LockLocationOutput =
  | { outcome: 'locked'; fence: number }
  | { outcome: 'taken'; holder: LockHolder | null; retryAfterMs?: number }
  | { outcome: 'absent' | 'full' | 'stale' }

/** The input of `unlockLocation`. */
export type UnlockLocationInput<T extends RoomTypes = RoomTypes> = {
  room: string
  connectionKey: string
  location: T['location']
  lockSeq: number
  /** The fence of the lock to end. A lock of the same place with another fence stays. */
  fence: number
  lastEventId?: string | undefined
}

/**
 * The output of `unlockLocation`. `gone`: the connection no longer had this lock. `holder` is the connection that has
 * the place now, if any. `stale`: ignored, because a call with a higher `lockSeq` arrived before.
 */
export type UnlockLocationOutput =
  { outcome: 'unlocked' } | { outcome: 'gone'; holder?: LockHolder } | { outcome: 'stale' }
