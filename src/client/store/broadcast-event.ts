import type { BroadcastName, BroadcastsOf } from '../../shared/broadcast-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Member } from './member.js'

/** A broadcast as a listener receives it. */
export type BroadcastEvent<T extends RoomTypes, K extends BroadcastName<T> = BroadcastName<T>> = {
  readonly payload: BroadcastsOf<T>[K]
  /** The member who sent it; `null` when the server sent it, and for a member whom the room does not show. */
  readonly member: Member<T> | null
  /** The id of the member who sent it; `null` when the server sent it on behalf of nobody. */
  readonly memberId: string | null
  /** When the server accepted it, by the server's clock. */
  readonly at: Date
}
