import type { Activity, Connection } from '../../shared/events.js'
import type { Shift, View } from '../../shared/view.js'
import type { OutboxDraft } from '../outbox/outbox.js'
import { LocationIndex, sameJson } from './location-index.js'

/** One tab or script of a member. `at` is when it last changed, by the server's clock. */
export interface MemberConnection<L> {
  readonly connectionId: string
  readonly location: L | null
  readonly activity: Activity
  readonly at: Date
  /** Known from before the connection, or the server's memory, was lost, and not seen again yet. */
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
  readonly draft: OutboxDraft<L, P> | null
  readonly since: Date | null
}

/** What became of one member: `before` is `null` when they came, `now` when they went. */
export type Step<L, P> = { readonly before: Member<L, P> | null; readonly now: Member<L, P> | null }

/** One connection and when it last spoke, by which the newest is found. */
type Seen<L, P> = { memberId: string; profile: P | null; shown: MemberConnection<L>; order: number }

const nobody: readonly never[] = []
const nothing: Own<never, never> = { connectionId: null, memberId: null, draft: null, since: null }

/**
 * A view as people see it: grouped by member, with our own newest state laid over it. What did not change is the same
 * object as before, and only what changed costs: 20 moves among 1,000 members took 0.12 ms, grouping them all 1.4
 * (bench/roster.mjs).
 */
export class Roster<L, P> {
  members: readonly Member<L, P>[] = nobody
  others: readonly Member<L, P>[] = nobody
  self: Member<L, P> | null = null
  readonly #byId = new Map<string, Member<L, P>>()
  readonly #groups = new Map<string, Set<string>>()
  readonly #places = new LocationIndex<L, P>()
  #own: Own<L, P> = nothing
  #selfId: string | null = null
  #away = false

  /** Shows what the view's `shifts` did, and what we are and said ourselves; `away`: it may all be old. */
  update(view: View<L, P>, own: Own<L, P>, shifts: readonly Shift<L, P>[], away: boolean): Step<L, P>[] {
    // What becomes stale makes no shift: it is to be no event.
    const touched = new Set(Array.from(view.stale.values(), ({ memberId }) => memberId))
    for (const { connectionId, previous, current } of shifts) {
      if (previous) touched.add(previous.memberId)
      if (!current) continue
      touched.add(current.memberId)
      const group = this.#groups.get(current.memberId)
      if (group) group.add(connectionId)
      else this.#groups.set(current.memberId, new Set([connectionId]))
    }
    const selfId = connectionOf(view, own.connectionId)?.memberId ?? own.memberId
    const selfChanged = selfId !== this.#selfId
    if (own !== this.#own || selfChanged)
      for (const memberId of [this.#selfId, selfId]) if (memberId !== null) touched.add(memberId)
    if (away !== this.#away) for (const memberId of this.#groups.keys()) touched.add(memberId)
    this.#own = own
    this.#selfId = selfId
    this.#away = away
    return this.#take(
      Array.from(touched, (memberId) => this.#step(view, memberId)),
      selfChanged,
    )
  }

  /** Members who are exactly there. The same array as before while the same people are. */
  membersAt(location: L): readonly Member<L, P>[] {
    return this.#places.at(location, this.members)
  }

  other(memberId: string): Member<L, P> | null {
    return memberId === this.#selfId ? null : (this.#byId.get(memberId) ?? null)
  }

  #step(view: View<L, P>, memberId: string): Step<L, P> {
    const before = this.#byId.get(memberId) ?? null
    const seen: Seen<L, P>[] = []
    const group = this.#groups.get(memberId)
    for (const connectionId of group ?? []) {
      const connection = connectionOf(view, connectionId)
      if (connection?.memberId === memberId)
        seen.push(seenAs(connection, shownOf(connection), this.#away || view.stale.has(connectionId)))
      else group!.delete(connectionId)
    }
    if (group?.size === 0) this.#groups.delete(memberId)
    if (memberId === this.#selfId) seeOwn(seen, this.#own)
    return { before, now: seen.length > 0 ? memberOf(memberId, seen, before) : null }
  }

  #take(steps: Step<L, P>[], selfChanged: boolean): Step<L, P>[] {
    const changed = steps.filter(({ before, now }) => before !== now)
    for (const { before, now } of changed) {
      if (now) this.#byId.set(now.memberId, now)
      else this.#byId.delete(before!.memberId)
      this.#places.move(before, now)
    }
    if (changed.length > 0) this.members = [...this.#byId.values()]
    this.self = (this.#selfId !== null && this.#byId.get(this.#selfId)) || null
    if (selfChanged || changed.some(({ before, now }) => (now ?? before)!.memberId !== this.#selfId))
      this.others = this.members.filter((member) => member !== this.self)
    return changed
  }
}

const connectionOf = <L, P>(view: View<L, P>, connectionId: string | null): Connection<L, P> | undefined =>
  connectionId === null ? undefined : (view.connections.get(connectionId) ?? view.stale.get(connectionId))

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

const seenAs = <L, P>(
  { memberId, profile, at: order }: Connection<L, P>,
  shown: MemberConnection<L>,
  stale: boolean,
): Seen<L, P> => ({ memberId, profile, shown: stale ? { ...shown, stale } : shown, order })

/** Shows our newest draft where the server's word is older, or has not come. */
function seeOwn<L, P>(seen: Seen<L, P>[], { connectionId, memberId, draft, since: at }: Own<L, P>): void {
  if (connectionId === null || !draft) return
  let mine = seen.find(({ shown }) => shown.connectionId === connectionId)
  if (!mine) {
    if (memberId === null || !at) return
    const shown = { connectionId, location: null, activity: 'active', at, stale: false } as const
    seen.push((mine = { memberId, profile: draft.profile ?? null, shown, order: Infinity }))
  }
  const { shown } = mine
  const { location, activity = shown.activity } = draft
  if (activity !== shown.activity || !sameJson(location, shown.location))
    Object.assign(mine, { shown: { ...shown, location, activity }, order: Infinity })
}

function memberOf<L, P>(memberId: string, group: Seen<L, P>[], before: Member<L, P> | null): Member<L, P> {
  group.sort((a, b) => b.order - a.order)
  const { profile, shown } = group[0]!
  const connections = keepIfEqual(
    before?.connections,
    group.map(({ shown }, i) => keepIfEqual(before?.connections[i], shown)),
  )
  return keepIfEqual(before ?? undefined, {
    memberId,
    profile,
    location: shown.location,
    activity: shown.activity,
    connections,
  })
}

/** The value from before, if the new one holds just the same. */
export function keepIfEqual<T extends object>(before: T | undefined, now: T): T {
  if (!before || before === now) return now
  const same = (key: string) => Object.is(before[key as keyof T], now[key as keyof T])
  return Object.keys({ ...before, ...now }).every(same) ? before : now
}
