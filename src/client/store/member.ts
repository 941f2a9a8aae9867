import type { LocationError } from '../../shared/errors.js'
import type { Activity, Connection } from '../../shared/events.js'
import type { OutboxDraft } from '../outbox/outbox.js'
import { noPresence } from '../../shared/presence.js'
import { activeAtOf, bySpeaking, mostActive } from '../../shared/speaking.js'
import { sameJson } from './same-json.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** The empty list of members. */
export const nobody: readonly never[] = Object.freeze([])

/**
 * One tab or script of a member. `at` is the time of its last change, `activeAt` of its last use, by the server's
 * clock.
 */
export interface MemberConnection<T extends RoomTypes> {
  readonly connectionId: string
  readonly location: T['location'] | null
  readonly activity: Activity
  readonly at: Date
  readonly activeAt: Date
  /** True from the loss of our connection or of the server's state until this connection is seen again. */
  readonly stale: boolean
}

/**
 * A person or an agent with all of their connections in this room. The connection that they used last gives profile,
 * location and presence value; the most active one gives the activity.
 */
export interface Member<T extends RoomTypes> {
  readonly memberId: string
  readonly profile: T['profile'] | null
  readonly location: T['location'] | null
  readonly activity: Activity
  /** The presence value of the connection that was used last; `{}` while that connection has posted none. */
  readonly presence: T['presence']
  /** When the member last used one of the connections. */
  readonly lastActiveAt: Date
  /** The connections of the member in this room. The one that was used last comes first. */
  readonly connections: readonly MemberConnection<T>[]
}

/** Our own identity in the room and our newest draft, which is shown at once, before the server has acknowledged it. */
export interface OwnState<T extends RoomTypes> {
  readonly connectionId: string | null
  readonly memberId: string | null
  readonly draft: OutboxDraft<T> | null
  readonly since: Date | null
  /** The reason why our posts are not delivered. */
  readonly postError?: LocationError | null
}

/** The change of one member: `before` is `null` when the member entered, and `now` is `null` when the member left. */
export type MemberChange<T extends RoomTypes> = { readonly before: Member<T> | null; readonly now: Member<T> | null }

/** A connection with the fields that order the connections of a member. `shown` is the object that the app sees. */
export type OrderedConnection<T extends RoomTypes> = {
  connectionId: string
  memberId: string
  profile: T['profile'] | null
  presence?: T['presence']
  shown: MemberConnection<T>
  at: number
  activeAt?: number
}

// Wire objects are never mutated, so each is converted only once.
const converted = new WeakMap<object, MemberConnection<RoomTypes>>()

function memberConnectionOf<T extends RoomTypes>(connection: Connection<T>): MemberConnection<T> {
  let shown = converted.get(connection)
  if (!shown) {
    const { connectionId, location, activity, at } = connection
    const activeAt = new Date(activeAtOf(connection) / 1000)
    shown = { connectionId, location, activity, at: new Date(at / 1000), activeAt, stale: false }
    converted.set(connection, shown)
  }
  return shown as MemberConnection<T>
}

export function orderedConnection<T extends RoomTypes>(
  connection: Connection<T>,
  stale: boolean,
): OrderedConnection<T> {
  const shown = memberConnectionOf(connection)
  return { ...connection, shown: stale ? { ...shown, stale } : shown }
}

/** Shows our newest draft where the server's state is older or has not arrived. */
export function overlayOwn<T extends RoomTypes>(
  connections: OrderedConnection<T>[],
  { connectionId, memberId, draft, since: at }: OwnState<T>,
): void {
  if (connectionId === null || !draft) return
  let own = connections.find(({ shown }) => shown.connectionId === connectionId)
  if (!own) {
    if (memberId === null || !at) return
    const shown = { connectionId, location: null, activity: 'active', at, activeAt: at, stale: false } as const
    connections.push((own = { connectionId, memberId, profile: draft.profile ?? null, shown, at: Infinity }))
  }
  if (draft.presence) own.presence = draft.presence
  const { shown } = own
  const { location, activity = shown.activity } = draft
  const isMoved = !sameJson(location, shown.location)
  if (!isMoved && activity === shown.activity) return
  own.shown = { ...shown, location, activity }
  // A move and `active` count as a use of the connection, `idle` and `away` do not. The server has the same rule.
  if (isMoved || activity === 'active') own.activeAt = Infinity
}

/** Builds a member from its connections. Returns `before` when nothing changed. */
export function memberOf<T extends RoomTypes>(
  memberId: string,
  group: OrderedConnection<T>[],
  before: Member<T> | null,
): Member<T> {
  group.sort(bySpeaking)
  const { profile, shown, presence = noPresence } = group[0]!
  const connections = keepIfEqual(
    before?.connections,
    group.map(({ shown }, i) => keepIfEqual(before?.connections[i], shown)),
  )
  return keepIfEqual(before ?? undefined, {
    memberId,
    profile,
    location: shown.location,
    presence,
    activity: mostActive(connections),
    lastActiveAt: shown.activeAt,
    connections,
  })
}

/** Returns `before` when `now` is shallowly equal to it, otherwise `now`. */
export function keepIfEqual<T extends object>(before: T | undefined, now: T): T {
  if (!before || before === now) return now
  const same = (key: string) => Object.is(before[key as keyof T], now[key as keyof T])
  return Object.keys({ ...before, ...now }).every(same) ? before : now
}
