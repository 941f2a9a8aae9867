import type { RoomTypes } from '../../shared/room-types.js'
import type { HubRoomLocks } from './hub-locks.js'
import type { HubRoom } from './hub-room.js'

/**
 * The health of a hub. `degraded`: the backend is unreachable, refuses writes, or its announcements do not arrive.
 * `draining`: new streams are refused, because the hub is draining or closed.
 */
export type HubHealth = 'ready' | 'degraded' | 'draining'

/** The rooms of one server process. All location routers of a process share one hub. */
export interface LocationHub<T extends RoomTypes> {
  /** Carries the room types for type inference. At run time it is always `undefined`. */
  readonly '~types'?: T
  /**
   * Returns a room for use by the server itself.
   *
   * @throws LocationError `bad-input` when the id is not valid.
   */
  room(room: string): HubRoom<T> & ([T['locks']] extends [true] ? HubRoomLocks<T> : unknown)
  /**
   * Removes a member's connections and cached rights and ends their streams, in one room or, without `room`, in all, on
   * every process.
   *
   * @throws LocationError `bad-input` when an id is not valid, for example a number, which would match nobody.
   */
  revoke(memberId: string, room?: string): Promise<void>
  /**
   * Checks that the backend meets the requirements. `listen()` of a LocationServer calls this. Resolves when the backend
   * is unreachable.
   *
   * @throws LocationError `misconfigured`, with the requirement that the backend does not meet.
   */
  ready(): Promise<void>
  /** Returns whether this process can take traffic: the answer of `/readyz`, apart from the state of the event loop. */
  health(): HubHealth
  /** Refuses new streams and ends the open ones, spread over 20 seconds. Resolves when the last one has ended. */
  drain(): Promise<void>
  /**
   * Ends all streams, closes all rooms and closes the backend. Rejects with the first error, once everything is closed.
   */
  close(): Promise<void>
}
