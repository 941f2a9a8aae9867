import type { RoomTypes } from '../../shared/room-types.js'
import type { Member, MemberConnection } from '../store/member.js'
import { sameJson } from '../store/same-json.js'
import type { Store } from '../store/store.js'

/** Returns the member who has locked a place, as the room shows it; `null` when nobody has. */
export function heldBy<T extends RoomTypes>(
  { view, members }: Pick<Store<T>, 'view' | 'members'>,
  location: T['location'],
): Member<T> | null {
  const holds = ({ connectionId }: MemberConnection<T>) =>
    view.connections.get(connectionId)?.locks?.some((lock) => sameJson(lock.location, location))
  return members.find(({ connections }) => connections.some(holds)) ?? null
}
