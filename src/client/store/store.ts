import type { Broadcasts } from '../../shared/broadcast-types.js'
import type { LocationError } from '../../shared/errors.js'
import { frozen } from '../../shared/frozen.js'
import type { MembersAtOptions } from './location-index.js'
import type { BroadcastEvent } from './broadcast-event.js'
import { keepIfEqual, type Member, type OwnState } from './member.js'
import { roomEventsOf, type MemberEvents } from './room-events.js'
import { Roster } from './roster.js'
import type { RoomStatus } from '../connection/room-status.js'
import { View, type Shift } from '../../shared/view.js'
import type { RoomTypes } from '../../shared/room-types.js'

/** The events of a room. Member events are about the others only, and not about those in the first snapshot. */
export type RoomEvents<T extends RoomTypes> = MemberEvents<T> & {
  status: { previous: RoomStatus; current: RoomStatus }
  /**
   * We had no contact with the room for `lostMs`. `since` is the time at which the interruption was noticed. All
   * members but our own are shown as stale.
   */
  lost: { since: Date; status: RoomStatus }
  /** After `lost`: the room is up to date again. */
  restored: { since: Date; awayMs: number }
  /**
   * A post or the room was refused, or, with the code `misconfigured`, the server is set up wrongly: for example,
   * several server processes keep this room, each in its own memory.
   */
  error: { error: LocationError }
}

/**
 * The events of a store: the room's, `broadcast` with broadcasts as they arrive, and `broadcast <name>` with each as
 * the app gets it.
 */
type StoreEvents<T extends RoomTypes> = RoomEvents<T> & {
  broadcast: Broadcasts<T>
  [named: `broadcast ${string}`]: BroadcastEvent<T>
}

/** A room at one moment. It is frozen, and the same object until something changes. */
export interface RoomSnapshot<T extends RoomTypes> {
  readonly status: RoomStatus
  readonly self: Member<T> | null
  readonly others: readonly Member<T>[]
}

const isEqualError = (a: LocationError, b: LocationError | null | undefined) =>
  a.code === b?.code && a.message === b.message

type Listener<V> = (value: V) => unknown
type Listeners<T extends RoomTypes> = { [K in keyof StoreEvents<T>]?: Set<Listener<StoreEvents<T>[K]>> }

/** The state of a room as the app sees it, and its subscribers. */
export interface Store<T extends RoomTypes> {
  readonly view: View<T>
  readonly snapshot: RoomSnapshot<T>
  readonly members: readonly Member<T>[]
  /** Changes our own state and returns it. It becomes visible with the next `show`. */
  own(change: Partial<OwnState<T>>): OwnState<T>
  /** Publishes the current state. */
  show(status?: RoomStatus): void
  /** Publishes the view's shifts without events. */
  take(shifts: readonly Shift<T>[]): void
  /** Publishes the view's shifts and emits member events; `caughtUp`: they happened while we were disconnected. */
  announce(shifts: readonly Shift<T>[], caughtUp?: boolean): void
  /** Sets whether all members are shown as stale. It becomes visible with the next `show`. */
  away(away: boolean): void
  emit<K extends keyof StoreEvents<T>>(event: K, value: StoreEvents<T>[K]): void
  /** Emits an `error` event. Without a listener for it, the error is written to the console. */
  fail(error: LocationError): void
  membersAt(location: T['location'], options?: MembersAtOptions): readonly Member<T>[]
  other(memberId: string): Member<T> | null
  on<K extends keyof StoreEvents<T>>(event: K, listener: Listener<StoreEvents<T>[K]>): () => void
  subscribe(run: Listener<RoomSnapshot<T>>): () => void
  /** Evaluates `outcome` now and after each change. Resolves when it is `true`, rejects when it is an error. */
  expect(outcome: () => Error | boolean): Promise<void>
}

/**
 * Creates a store. `report` receives the exceptions and rejections of listeners; the other listeners are still called.
 */
export function createStore<T extends RoomTypes>(since: Date, report: (thrown: unknown) => void): Store<T> {
  const view = new View<T>()
  const roster = new Roster<T>()
  const listeners: Listeners<T> = {}
  const subscribers = new Set<Listener<RoomSnapshot<T>>>()
  const expectations = new Set<() => void>()
  let own: OwnState<T> = { connectionId: null, memberId: null, draft: null, since }
  let away = false
  let connectionStatus: RoomStatus = { state: 'connecting' }
  let snapshot: RoomSnapshot<T> = { status: connectionStatus, self: null, others: roster.others }

  const call = <V>(listener: Listener<V>, value: V) => {
    try {
      // An async listener may reject.
      ;(listener(value) as Promise<void> | undefined)?.then?.(null, report)
    } catch (thrown) {
      report(thrown)
    }
  }
  /** Calls the listeners that were registered when the event began, except those that were removed meanwhile. */
  const notify = <V>(listeners: Set<Listener<V>> | undefined, value: V) =>
    new Set(listeners).forEach((listener) => listeners!.has(listener) && call(listener, value))
  const emit: Store<T>['emit'] = (event, value) => notify<never>(listeners[event], frozen(value) as never)
  /** Writes a failure to the console, unless the app listens to `error`. */
  const warnUnlessHeard = (unheard: LocationError) => {
    if (!listeners.error?.size)
      void import('./unheard-error.js').then(
        ({ warn }) => warn(unheard),
        () => {},
      )
  }
  const update = (shifts: readonly Shift<T>[], changed = connectionStatus) => {
    const previous = snapshot
    connectionStatus = changed
    const before = previous.status.postError
    // A failure with the same code and message keeps the previous error object, so that the status does not change.
    const postError = before && isEqualError(before, own.postError) ? before : own.postError
    const changes = roster.update(view, own, shifts, away)
    const { self, others } = roster
    const status = keepIfEqual(previous.status, postError ? { ...changed, postError } : changed)
    snapshot = frozen(keepIfEqual(previous, { status, self, others }))
    if (snapshot !== previous) notify(subscribers, snapshot)
    if (status !== previous.status) {
      emit('status', { previous: previous.status, current: status })
      const error = status.postError ?? ('error' in status && status.error)
      if (error) warnUnlessHeard(error)
    }
    expectations.forEach((check) => check())
    return changes
  }

  return {
    view,
    get snapshot() {
      return snapshot
    },
    get members() {
      return roster.members
    },
    own: (change) => (own = { ...own, ...change }),
    away(now) {
      away = now
    },
    show: (status) => void update([], status),
    take: (shifts) => void update(shifts),
    announce(shifts, caughtUp = false) {
      const changes = update(shifts)
      for (const [kind, event] of roomEventsOf(changes, shifts, roster.self?.memberId, caughtUp))
        emit(kind, event as never)
    },
    emit,
    fail(error) {
      emit('error', { error })
      warnUnlessHeard(error)
    },
    membersAt: (location, options) => roster.membersAt(location, options),
    other: (memberId) => roster.other(memberId),
    on(event, listener) {
      const set: Set<typeof listener> = (listeners[event] ??= new Set() as never)
      set.add(listener)
      return () => set.delete(listener)
    },
    subscribe(run) {
      subscribers.add(run)
      call(run, snapshot)
      return () => subscribers.delete(run)
    },
    expect: (outcome) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const result = outcome()
          if (!result) return
          expectations.delete(check)
          if (result === true) resolve()
          else reject(result)
        }
        expectations.add(check)
        check()
      }),
  }
}
