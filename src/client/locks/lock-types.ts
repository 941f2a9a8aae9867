import type { RoomTypes } from '../../shared/room-types.js'
import type { Member } from '../store/member.js'

/**
 * A place that this client holds. Calls for one place share one lock, which ends when it was released as often as it
 * was taken. With `await using`, the lock is released at the end of the block, in runtimes that have
 * `Symbol.asyncDispose`.
 */
export interface Lock<T extends RoomTypes> {
  readonly location: T['location']
  /**
   * A number that orders the locks of this place. Save it with your data, and let no save with a lower fence overwrite
   * them.
   */
  readonly fence: number
  /** Aborts when the lock is lost: when the server says so, or when no post was acknowledged for 30 seconds. */
  readonly signal: AbortSignal
  /** Ends one use of this lock. The end of the last use frees the place. Never rejects. */
  release(): Promise<void>
}

/** The part of a room that shows locks. */
export interface LockView<T extends RoomTypes> {
  /** Returns the member who has locked a place; `null` when the place is free. */
  lockedBy(location: T['location']): Member<T> | null
}

/** The part of a joined room that takes and shows locks. It exists when the hub has `locks`. */
export interface RoomLockMethods<T extends RoomTypes> extends LockView<T> {
  /**
   * Takes a place, so that nobody else edits it. Resolves with the lock, or with `null` when somebody else has the place, or the
   * limit of locks is reached. Waits while the server cannot be reached, until `signal` aborts. `takeOver: true` takes the place from
   * another window of this member.
   *
   * @throws LocationError `bad-input`, `too-large`, `forbidden`, `unauthorized`, `misconfigured` when the server has no locks,
   * `network` when the code of locks cannot be loaded, `closed` when the room was left; the reason of `signal` when it aborts.
   */
  lock(location: T['location'], options?: LockOptions): Promise<Lock<T> | null>
}

/** The options of `room.lock`. */
export type LockOptions = { signal?: AbortSignal; takeOver?: true }

/** `Yes` for an app with locks, otherwise `unknown`. */
export type IfLocks<T extends RoomTypes, Yes> = [T['locks']] extends [true] ? Yes : unknown
