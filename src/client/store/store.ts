import type { LocationError } from '../../shared/errors.js'
import { roomEventsOf, type News } from './room-events.js'
import { keepIfEqual, Roster, type Member, type Own } from './roster.js'
import type { RoomStatus } from '../connection/room-status.js'
import { View, type Shift } from '../../shared/view.js'

/** Of the others only, and nothing of those who were there at first. */
export type RoomEvents<L, P> = News<L, P> & {
  status: { previous: RoomStatus; current: RoomStatus }
  /** No word came from the room for longer than a blink, since then; the others are shown as stale. */
  lost: { since: Date; status: RoomStatus }
  /** After `lost`: what is shown is true again. */
  restored: { since: Date; awayMs: number }
  /** A post was refused, or the room was. */
  error: { error: LocationError }
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
  /** Shows what the view's shifts did. */
  take(shifts: readonly Shift<L, P>[]): void
  /** Shows it, and announces what it means to people; `caughtUp`: it happened while we were away. */
  announce(shifts: readonly Shift<L, P>[], caughtUp?: boolean): void
  /** Whether what is shown may all be old. Shown with the next `show`. */
  away(away: boolean): void
  emit<K extends keyof RoomEvents<L, P>>(event: K, value: RoomEvents<L, P>[K]): void
  membersAt(location: L): readonly Member<L, P>[]
  other(memberId: string): Member<L, P> | null
  on<K extends keyof RoomEvents<L, P>>(event: K, listener: Listener<RoomEvents<L, P>[K]>): () => void
  subscribe(run: Listener<RoomSnapshot<L, P>>): () => void
  /** Settles when `outcome`, asked now and after each change, is true or an error. */
  expect(outcome: () => Error | boolean): Promise<void>
}

/** `report` is told what a listener threw: the others are told what they listen for all the same. */
export function createStore<L, P>(since: Date, report: (thrown: unknown) => void): Store<L, P> {
  const view = new View<L, P>()
  const roster = new Roster<L, P>()
  const listeners: Listeners<L, P> = {}
  const runs = new Set<Listener<RoomSnapshot<L, P>>>()
  const expectations = new Set<() => void>()
  let own: Own<L, P> = { connectionId: null, memberId: null, draft: null, since }
  let away = false
  let snapshot: RoomSnapshot<L, P> = { status: { state: 'connecting' }, self: null, others: roster.others }

  const tell = <T>(listener: Listener<T>, value: T) => {
    try {
      listener(value)
    } catch (thrown) {
      report(thrown)
    }
  }
  const emit: Store<L, P>['emit'] = (event, value) => listeners[event]?.forEach((listener) => tell(listener, value))
  const update = (shifts: readonly Shift<L, P>[], changed = snapshot.status) => {
    const previous = snapshot
    const steps = roster.update(view, own, shifts, away)
    const { self, others } = roster
    const status = keepIfEqual(previous.status, changed)
    snapshot = keepIfEqual(previous, { status, self, others })
    if (snapshot !== previous) runs.forEach((run) => tell(run, snapshot))
    if (status !== previous.status) emit('status', { previous: previous.status, current: status })
    expectations.forEach((check) => check())
    return steps
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
    away(now) {
      away = now
    },
    show: (status) => void update([], status),
    take: (shifts) => void update(shifts),
    announce(shifts, caughtUp = false) {
      const steps = update(shifts)
      for (const [kind, news] of roomEventsOf(steps, shifts, roster.self?.memberId, caughtUp)) emit(kind, news as never)
    },
    emit,
    membersAt: (location) => roster.membersAt(location),
    other: (memberId) => roster.other(memberId),
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
