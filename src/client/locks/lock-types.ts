import type { RoomTypes } from '../../shared/room-types.js'
import type { Member } from '../store/member.js'

/**
 * A place that this client holds. Calls for one place share one lock: it ends when it was released as often as it was taken. With
 * `await using`, it is released at the end of the block, in runtimes that have `Symbol.asyncDispose`.
 */
export interface Lock<T extends RoomTypes> {
  readonly location: T['location']
  /** Orders the locks of this place: save it with what you write, and let no save with a lower one overwrite it. */
  readonly fence: number
  /** Aborts when the lock is lost: the server said so, or no post was acknowledged for 30 seconds. */
  readonly signal: AbortSignal
  /** Ends one use of this lock. The last one frees the place. Never rejects. */
  release(): Promise<void>
}

/** The part of a room that shows locks. */
export interface LockView<T extends RoomTypes> {
  /** Returns the member who has a place; `null` when it is free. */
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

/** `Yes` for an app with locks, otherwise nothing. */
export type IfLocks<T extends RoomTypes, Yes> = [T['locks']] extends [true] ? Yes : unknown
