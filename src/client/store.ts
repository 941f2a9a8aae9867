import { newsBetween, type News } from './news.js'
import { emptyRoster, keep, placeIndex, rosterOf, type Member, type Own, type Roster } from './roster.js'
import { View, type Shift } from '../shared/view.js'

export type RoomStatus =
  | { state: 'connecting' }
  | { state: 'live' }
  /** No stream; `attempt` counts those in a row that failed. */
  | { state: 'waiting'; retryAt: Date; attempt: number; error: Error }
  | { state: 'polling' }
  /** For good, unless `retry()`: `left`, or the code of the LocationError that the room's `error` event told. */
  | { state: 'closed'; reason: string }

/** Of the others only, and nothing of those who were there at first. */
export type RoomEvents<L, P> = News<L, P> & {
  status: { previous: RoomStatus; current: RoomStatus }
  /** A post was refused, or the room was. */
  error: { error: Error }
}

export interface RoomSnapshot<L, P> {
  readonly status: RoomStatus
  readonly self: Member<L, P> | null
  readonly others: readonly Member<L, P>[]
}

type Listener<T> = (value: T) => void
type Listeners<L, P> = { [K in keyof RoomEvents<L, P>]?: Set<Listener<RoomEvents<L, P>[K]>> }

/** What a room shows, and everybody who is told when that changes. */
export interface Store<L, P> {
  readonly view: View<L, P>
  readonly snapshot: RoomSnapshot<L, P>
  readonly members: readonly Member<L, P>[]
  /** Who we are, or what we said, changed. Shown with the next `show`. */
  own(change: Partial<Own<L, P>>): void
  /** Shows what is true now. */
  show(status?: RoomStatus): void
  /** Shows it, and announces what the view's shifts mean to people. */
  announce(shifts: Shift<L, P>[]): void
  emit<K extends keyof RoomEvents<L, P>>(event: K, value: RoomEvents<L, P>[K]): void
  at(location: L): readonly Member<L, P>[]
  on<K extends keyof RoomEvents<L, P>>(event: K, listener: Listener<RoomEvents<L, P>[K]>): () => void
  subscribe(run: Listener<RoomSnapshot<L, P>>): () => void
  /** Settles when `outcome`, asked now and after each change, is true or an error. */
  expect(outcome: () => Error | boolean): Promise<void>
}

/** `report` is told what a listener threw: the others are told what they listen for all the same. */
export function createStore<L, P>(since: Date, report: (thrown: unknown) => void): Store<L, P> {
  const view = new View<L, P>()
  const place = placeIndex<L, P>()
  const listeners: Listeners<L, P> = {}
  const runs = new Set<Listener<RoomSnapshot<L, P>>>()
  const expectations = new Set<() => void>()
  let own: Own<L, P> = { connectionId: null, memberId: null, draft: null, since }
  let roster: Roster<L, P> = emptyRoster
  let snapshot: RoomSnapshot<L, P> = { status: { state: 'connecting' }, self: null, others: roster.others }

  const tell = <T>(listener: Listener<T>, value: T) => {
    try {
      listener(value)
    } catch (thrown) {
      report(thrown)
    }
  }
  const emit: Store<L, P>['emit'] = (event, value) => listeners[event]?.forEach((listener) => tell(listener, value))
  const show = (changed = snapshot.status) => {
    const previous = snapshot
    roster = rosterOf(view, own, roster)
    const { self, others } = roster
    const status = keep(previous.status, changed)
    snapshot = keep(previous, { status, self, others })
    if (snapshot !== previous) runs.forEach((run) => tell(run, snapshot))
    if (status !== previous.status) emit('status', { previous: previous.status, current: status })
    expectations.forEach((check) => check())
  }

  return {
    view,
    get snapshot() {
      return snapshot
    },
    get members() {
      return roster.members
    },
    own(change) {
      own = { ...own, ...change }
    },
    show,
    announce(shifts) {
      const before = roster
      show()
      for (const [kind, news] of newsBetween(before, roster, shifts)) emit(kind, news as never)
    },
    emit,
    at: (location) => place(roster, location),
    on(event, listener) {
      const set: Set<typeof listener> = (listeners[event] ??= new Set() as never)
      set.add(listener)
      return () => set.delete(listener)
    },
    subscribe(run) {
      runs.add(run)
      tell(run, snapshot)
      return () => runs.delete(run)
    },
    expect: (outcome) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const known = outcome()
          if (!known) return
          expectations.delete(check)
          if (known === true) resolve()
          else reject(known)
        }
        expectations.add(check)
        check()
      }),
  }
}
