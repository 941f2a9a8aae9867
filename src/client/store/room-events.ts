import type { Activity, LeftReason } from '../../shared/events.js'
import type { Shift } from '../../shared/view.js'
import type { Member, MemberChange, MemberConnection } from './member.js'
import { sameJson } from './same-json.js'
import type { RoomTypes } from '../../shared/room-types.js'

type MemberEventBase<T extends RoomTypes> = {
  /** The member that the event is about. */
  member: Member<T>
  /**
   * True when the event happened while we were disconnected and is reported late: show it, but without a flash or a
   * sound.
   */
  caughtUp: boolean
}
/** The profile and the activity of a member. */
export type Appearance<T extends RoomTypes> = { profile: T['profile'] | null; activity: Activity }

/** The events about the other members of a room. */
export type MemberEvents<T extends RoomTypes> = {
  /** The member's first connection arrived. */
  entered: MemberEventBase<T> & { connection: MemberConnection<T>; current: T['location'] | null }
  moved: MemberEventBase<T> & {
    connection: MemberConnection<T>
    previous: T['location'] | null
    current: T['location'] | null
  }
  /** The member's profile or activity changed; `changed` names one or both. */
  updated: MemberEventBase<T> & {
    previous: Appearance<T>
    current: Appearance<T>
    changed: readonly (keyof Appearance<T>)[]
  }
  /** The member's presence value changed: only with a router that has a presence schema. */
  presence: MemberEventBase<T> & {
    connection: MemberConnection<T>
    previous: T['presence']
    current: T['presence']
  }
  /** The member's last connection is gone. */
  left: MemberEventBase<T> & { connection: MemberConnection<T>; previous: T['location'] | null; reason: LeftReason }
}
export type MemberEvent<T extends RoomTypes> = {
  [K in keyof MemberEvents<T>]: [kind: K, event: MemberEvents<T>[K]]
}[keyof MemberEvents<T>]

/**
 * Derives room events from the changes of a roster. Our own member causes none. Events are about members, not
 * connections: a member that reloads a page or moves to another tab has neither left nor entered.
 */
export function roomEventsOf<T extends RoomTypes>(
  changes: readonly MemberChange<T>[],
  shifts: readonly Shift<T>[],
  selfId: string | undefined,
  caughtUp: boolean,
): MemberEvent<T>[] {
  const others = changes.filter(({ before, now }) => (now ?? before)?.memberId !== selfId)
  // `left` events come first, so that an app frees a name before another member enters with the same name.
  return [
    ...others.flatMap((change) => leftEventOf(change, shifts, caughtUp)),
    ...others.flatMap((change) => presentEventsOf(change, caughtUp)),
  ]
}

function leftEventOf<T extends RoomTypes>(
  { before: member, now }: MemberChange<T>,
  shifts: readonly Shift<T>[],
  caughtUp: boolean,
) {
  if (!member || now) return []
  const last = shifts.findLast(({ previous, current }) => previous?.memberId === member.memberId && !current)
  const { location: previous, connections } = member
  const left = { member, connection: connections[0]!, previous, reason: last?.reason ?? 'lost', caughtUp }
  return [['left', left] satisfies MemberEvent<T>]
}

function presentEventsOf<T extends RoomTypes>(
  { before, now: member }: MemberChange<T>,
  caughtUp: boolean,
): MemberEvent<T>[] {
  if (!member) return []
  const { location: current, connections } = member
  const connection = connections[0]!
  if (!before) return [['entered', { member, connection, current, caughtUp }]]
  const events: MemberEvent<T>[] = []
  const { location: previous } = before
  if (!sameJson(previous, current)) events.push(['moved', { member, connection, previous, current, caughtUp }])
  const changed = (['profile', 'activity'] as const).filter((field) => !sameJson(before[field], member[field]))
  if (changed.length > 0)
    events.push([
      'updated',
      { member, previous: appearanceOf(before), current: appearanceOf(member), changed, caughtUp },
    ])
  const { presence } = member
  if (!sameJson(before.presence, presence))
    events.push(['presence', { member, connection, previous: before.presence, current: presence, caughtUp }])
  return events
}

const appearanceOf = <T extends RoomTypes>({ profile, activity }: Appearance<T>): Appearance<T> => ({
  profile,
  activity,
})
