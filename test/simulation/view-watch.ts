import { isDeepStrictEqual } from 'node:util'
import type { Connection } from '../../src/shared/events.js'
import type { RoomTypes } from 'hereabouts'
import type { RoomState } from 'hereabouts/server'
import type { Member } from '../../src/client/store/member.js'
import { activeAtOf, bySpeaking, mostActive } from '../../src/shared/speaking.js'

/** The part of a client's room that shows other members. */
export type Shown<T extends RoomTypes> = {
  readonly others: readonly Member<T>[]
  lockedBy(location: T['location']): Member<T> | null
}

/** Checks that a client at a version shows what the store had at that version, whatever frames led it there. */
export class ViewWatch {
  /** The connections that the store had at each version, by event id. */
  readonly #states = new Map<string, readonly Connection[]>()

  acted({ epoch, version, connections }: RoomState): void {
    this.#states.set(`${epoch}.${version}`, connections)
  }

  /** Returns what is wrong in a client's room at an event id, or `null`. Ignores `self`, which shows unsent posts. */
  faultOf<T extends RoomTypes>(
    id: string,
    room: Shown<T>,
    self: string,
    places: readonly T['location'][],
  ): string | null {
    const stored = this.#states.get(id)
    if (!stored) return `was shown ${id}, which never was`
    // Before its first reply a client does not know its own memberId, so `self` is left out here.
    const shown = room.others.filter(
      ({ memberId, connections }) => memberId !== self && connections.some(({ stale }) => !stale),
    )
    // After a loss of state a member may be shown with a stale and a new window. Such members are not compared.
    const isMixed = (memberId: string) =>
      shown.some((member) => member.memberId === memberId && member.connections.some(({ stale }) => stale))
    const seen = shown.filter(({ memberId }) => !isMixed(memberId)).map(seenMember)
    const others = membersOf(stored).filter(({ memberId }) => memberId !== self && !isMixed(memberId))
    if (!isDeepStrictEqual(seen.sort(byId), others.sort(byId)))
      return `saw at ${id}:\n${JSON.stringify(seen)}, not\n${JSON.stringify(others)}`
    for (const place of places) {
      const holder = stored.find(({ locks = [] }) => locks.some(({ location }) => location === place))?.memberId
      const shown = room.lockedBy(place)?.memberId
      if (shown !== holder) return `saw ${String(place)} locked by ${shown} at ${id}, not by ${holder}`
    }
    return null
  }
}

const byId = (a: { memberId: string }, b: { memberId: string }) => (a.memberId < b.memberId ? -1 : 1)

function seenMember({ memberId, location, activity, connections }: Member<RoomTypes>) {
  const fresh = connections.filter(({ stale }) => !stale)
  return {
    memberId,
    location,
    activity,
    connections: fresh.map(({ connectionId, at, activeAt, ...shown }) => ({
      connectionId,
      location: shown.location,
      activity: shown.activity,
      at: at.getTime(),
      activeAt: activeAt.getTime(),
    })),
  }
}

/** Groups the connections of a snapshot by member. The first connection of each speaks for the member. */
function membersOf(stored: readonly Connection[]) {
  return [...new Set(stored.map(({ memberId }) => memberId))].map((memberId) => {
    const own = stored.filter((known) => known.memberId === memberId).sort(bySpeaking)
    return {
      memberId,
      location: own[0]!.location,
      activity: mostActive(own),
      connections: own.map((known) => ({
        connectionId: known.connectionId,
        location: known.location,
        activity: known.activity,
        at: Math.floor(known.at / 1_000),
        activeAt: Math.floor(activeAtOf(known) / 1_000),
      })),
    }
  })
}
