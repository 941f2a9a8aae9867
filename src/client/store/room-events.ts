import type { Activity, LeftReason } from '../../shared/events.js'
import type { Shift } from '../../shared/view.js'
import type { Member, MemberChange, MemberConnection } from './member.js'
import { sameJson } from './same-json.js'

type MemberEventBase<L, P> = {
  /** The member that the event is about. */
  member: Member<L, P>
  /** True when it happened while we were disconnected and is reported late: worth showing, not worth a flash or a sound. */
  caughtUp: boolean
}
/** The part of a member that others see besides the location. */
export type Appearance<P> = { profile: P | null; activity: Activity }

/** The events about the other members of a room. */
export type MemberEvents<L, P> = {
  /** The member's first connection arrived. */
  entered: MemberEventBase<L, P> & { connection: MemberConnection<L>; current: L | null }
  moved: MemberEventBase<L, P> & { connection: MemberConnection<L>; previous: L | null; current: L | null }
  /** The member's profile or activity changed; `changed` names one or both. */
  updated: MemberEventBase<L, P> & {
    previous: Appearance<P>
    current: Appearance<P>
    changed: readonly (keyof Appearance<P>)[]
  }
  /** The member's last connection is gone. */
  left: MemberEventBase<L, P> & { connection: MemberConnection<L>; previous: L | null; reason: LeftReason }
}
export type MemberEvent<L, P> = {
  [K in keyof MemberEvents<L, P>]: [kind: K, event: MemberEvents<L, P>[K]]
}[keyof MemberEvents<L, P>]

/**
 * Derives the events of a roster's changes; our own member makes none. Events are by member, not by connection: a member
 * that reloads a page or moves to another tab has neither left nor entered.
 */
export function roomEventsOf<L, P>(
  changes: readonly MemberChange<L, P>[],
  shifts: readonly Shift<L, P>[],
  selfId: string | undefined,
  caughtUp: boolean,
): MemberEvent<L, P>[] {
  const others = changes.filter(({ before, now }) => (now ?? before)?.memberId !== selfId)
  // `left` events come first: a name that changed hands is free before it is taken.
  return [
    ...others.flatMap((change) => leftEventOf(change, shifts, caughtUp)),
    ...others.flatMap((change) => presentEventsOf(change, caughtUp)),
  ]
}

function leftEventOf<L, P>(
  { before: member, now }: MemberChange<L, P>,
  shifts: readonly Shift<L, P>[],
  caughtUp: boolean,
) {
  if (!member || now) return []
  const last = shifts.findLast(({ previous, current }) => previous?.memberId === member.memberId && !current)
  const { location: previous, connections } = member
  const left = { member, connection: connections[0]!, previous, reason: last?.reason ?? 'lost', caughtUp }
  return [['left', left] satisfies MemberEvent<L, P>]
}

function presentEventsOf<L, P>({ before, now: member }: MemberChange<L, P>, caughtUp: boolean): MemberEvent<L, P>[] {
  if (!member) return []
  const { location: current, connections } = member
  const connection = connections[0]!
  if (!before) return [['entered', { member, connection, current, caughtUp }]]
  const events: MemberEvent<L, P>[] = []
  const { location: previous } = before
  if (!sameJson(previous, current)) events.push(['moved', { member, connection, previous, current, caughtUp }])
  const changed = (['profile', 'activity'] as const).filter((field) => !sameJson(before[field], member[field]))
  if (changed.length > 0)
    events.push([
      'updated',
      { member, previous: appearanceOf(before), current: appearanceOf(member), changed, caughtUp },
    ])
  return events
}

const appearanceOf = <P>({ profile, activity }: Appearance<P>): Appearance<P> => ({ profile, activity })
