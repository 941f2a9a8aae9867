import { LocationError } from '../../shared/errors.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Schema } from '../../shared/schema-types.js'
import { nameOf } from './given-name.js'
import type { Action, Outcome, StoredValue } from '../rules/backend.js'

/** The parts of the hub that the locks of a room use. */
export interface LockActions {
  readonly location: Schema
  act(id: string, action: Action): Promise<Outcome>
  parse(schema: Schema, value: unknown): Promise<unknown>
  keepPlace(location: unknown): StoredValue
}

/** The locks of a room for use by the server itself. */
export interface HubRoomLocks<T extends RoomTypes> {
  /**
   * Returns whether a member holds a place with this fence. The answer comes from the backend, never from a copy in
   * this process. Call `isLocked` last, inside the transaction that saves. The guarantee is not this call but the fence
   * that you store with the row.
   *
   * @throws LocationError `bad-input`, `too-large`; `unavailable` when the backend is unreachable or has just lost its state.
   */
  isLocked(lock: { location: T['location']; memberId: string; fence: number }): Promise<boolean>
  /**
   * Ends the lock of a place, regardless of its holder, for administrators. Returns whether somebody held the place.
   *
   * @throws LocationError `bad-input`, `too-large`, `unavailable`
   */
  unlock(location: T['location']): Promise<boolean>
}

/** Creates the lock methods of a room. */
export function hubRoomLocks<T extends RoomTypes>(hub: LockActions, id: string): HubRoomLocks<T> {
  const placeOf = async (location: unknown) => hub.keepPlace(await hub.parse(hub.location, location))
  return {
    async isLocked({ location, memberId, fence }) {
      const member = nameOf(memberId, 'member')
      // Database drivers may return a large integer as text, which would equal no fence.
      if (!Number.isSafeInteger(fence))
        throw new LocationError(
          'bad-input',
          'fence must be an integer: convert what the database returned to a number.',
        )
      const action = { type: 'checkLock' as const, location: await placeOf(location), memberId: member, fence }
      const outcome = await hub.act(id, action)
      if (outcome.type === 'lockChecked' && outcome.isHeld !== null) return outcome.isHeld
      throw new LocationError(
        'unavailable',
        'The locks of this room were lost and are being claimed: try again in a few seconds.',
      )
    },
    async unlock(location) {
      const outcome = await hub.act(id, { type: 'release', location: await placeOf(location) })
      return outcome.type === 'released' && outcome.wasHeld
    },
  }
}
