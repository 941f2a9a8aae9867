import { canonicalJson } from '../shared/canonical-json.js'
import type { Activity, Connection } from '../shared/protocol.js'
import type { View } from '../shared/view.js'
import type { Draft } from './outbox.js'

/** One tab or script of a member. `at` is when it last changed, by the server's clock. */
export interface MemberConnection<L> {
  readonly connectionId: string
  readonly location: L | null
  readonly activity: Activity
  readonly at: Date
  /** Known from before the server lost its memory, and not seen again yet. */
  readonly stale: boolean
}

/** A person or an agent, with everything they have open here. The connection that changed last speaks for them. */
export interface Member<L, P> {
  readonly memberId: string
  readonly profile: P | null
  readonly location: L | null
  readonly activity: Activity
  /** Newest first. */
  readonly connections: readonly MemberConnection<L>[]
}

/** Who we are in the room, and what we said last: shown at once, whether or not the server has it already. */
export interface Own<L, P> {
  readonly connectionId: string | null
  readonly memberId: string | null
  readonly draft: Draft<L, P> | null
  readonly since: Date
}

/** A view as people see it. What did not change is the same object as before. */
export interface Roster<L, P> {
  readonly byId: ReadonlyMap<string, Member<L, P>>
  readonly members: readonly Member<L, P>[]
  readonly self: Member<L, P> | null
  readonly others: readonly Member<L, P>[]
}

const nobody: readonly never[] = []
export const emptyRoster: Roster<never, never> = { byId: new Map(), members: nobody, self: null, others: nobody }

/** One connection and when it last spoke, by which the newest is found. */
type Seen<L, P> = { memberId: string; profile: P | null; shown: MemberConnection<L>; order: number }

/** Groups a view by member and lays our own newest state over it. */
export function rosterOf<L, P>(view: View<L, P>, own: Own<L, P>, before: Roster<L, P>): Roster<L, P> {
  const seen: Seen<L, P>[] = []
  for (const connection of view.connections.values()) seen.push(seenAs(connection, shownOf(connection)))
  for (const connection of view.stale.values()) seen.push(seenAs(connection, { ...shownOf(connection), stale: true }))
  const selfId = seeOwn(seen, own)

  const byId = new Map<string, Member<L, P>>()
  for (const [memberId, group] of groupedBy(seen, ({ memberId }) => memberId))
    byId.set(memberId, memberOf(memberId, group, before.byId.get(memberId)))
  const self = (selfId !== null && byId.get(selfId)) || null
  const members = keep(before.members, [...byId.values()])
  const others = keep(
    before.others,
    members.filter((member) => member !== self),
  )
  return { byId, members, self, others }
}

/** Looks up who is where. A place whose people are the same gives the same array, so that 2,000 cells can ask. */
export function placeIndex<L, P>(): (roster: Roster<L, P>, location: L) => readonly Member<L, P>[] {
  let indexed: readonly Member<L, P>[] = nobody
  let places = new Map<string, readonly Member<L, P>[]>()
  return ({ members }, location) => {
    if (indexed !== members) {
      const found = groupedBy(members, ({ location }) => textOf(location))
      places = new Map(Array.from(found, ([place, group]) => [place, keep(places.get(place), group)]))
      indexed = members
    }
    return places.get(textOf(location)) ?? nobody
  }
}

// The wire's objects are never changed, so each is turned into a public one only once.
const publicOnes = new WeakMap<object, MemberConnection<unknown>>()

function shownOf<L, P>(connection: Connection<L, P>): MemberConnection<L> {
  let shown = publicOnes.get(connection)
  if (!shown) {
    const { connectionId, location, activity, at } = connection
    publicOnes.set(connection, (shown = { connectionId, location, activity, at: new Date(at / 1000), stale: false }))
  }
  return shown as MemberConnection<L>
}

const seenAs = <L, P>({ memberId, profile, at: order }: Connection<L, P>, shown: MemberConnection<L>): Seen<L, P> => ({
  memberId,
  profile,
  shown,
  order,
})

/** Shows our newest draft where the server's word is older, or has not come. Returns our memberId, if it is known. */
function seeOwn<L, P>(seen: Seen<L, P>[], { connectionId, memberId, draft, since: at }: Own<L, P>): string | null {
  let mine = seen.find(({ shown }) => shown.connectionId === connectionId)
  if (!mine && connectionId !== null && memberId !== null && draft) {
    const shown = { connectionId, location: null, activity: 'active', at, stale: false } as const
    seen.push((mine = { memberId, profile: draft.profile ?? null, shown, order: Infinity }))
  }
  if (mine && draft) {
    const { shown } = mine
    const { location, activity = shown.activity } = draft
    if (activity !== shown.activity || !sameJson(location, shown.location))
      Object.assign(mine, { shown: { ...shown, location, activity }, order: Infinity })
  }
  return mine?.memberId ?? memberId
}

function memberOf<L, P>(memberId: string, group: Seen<L, P>[], before: Member<L, P> | undefined): Member<L, P> {
  group.sort((a, b) => b.order - a.order)
  const { profile, shown } = group[0]!
  const connections = keep(
    before?.connections,
    group.map(({ shown }, i) => keep(before?.connections[i], shown)),
  )
  return keep(before, { memberId, profile, location: shown.location, activity: shown.activity, connections })
}

// How deep is deep enough was the server's to say.
const textOf = (value: unknown) => canonicalJson(value, Infinity)

/** Whether two locations, or two profiles, say the same. */
export const sameJson = (a: unknown, b: unknown) => a === b || textOf(a) === textOf(b)

function groupedBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** The value from before, if the new one holds just the same. */
export function keep<T extends object>(before: T | undefined, now: T): T {
  if (!before || before === now) return now
  const same = (key: string) => Object.is(before[key as keyof T], now[key as keyof T])
  return Object.keys({ ...before, ...now }).every(same) ? before : now
}
