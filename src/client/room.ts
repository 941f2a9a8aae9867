import type { Clock } from '../shared/clock.js'
import { LocationError } from '../shared/errors.js'
import type {
  Activity,
  GetLocationsOutput,
  Hello,
  LeaveRoomInput,
  PostLocationInput,
  PostLocationOutput,
} from '../shared/protocol.js'
import { applyEvent, forgetStale, View, type Shift } from '../shared/view.js'
import { newKey } from './keys.js'
import { openLine } from './line.js'
import { newsBetween, type News } from './news.js'
import { beaten, hastened, rekeyed } from './outbox.js'
import { followPage } from './page.js'
import { openPoster } from './poster.js'
import type { Reconnect } from './reconnect.js'
import { emptyRoster, keep, placeIndex, rosterOf, sameJson, type Member, type Own, type Roster } from './store.js'
import type { OpenStream } from './stream.js'

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

export interface Room<L, P> extends RoomSnapshot<L, P> {
  readonly id: string
  /** `others`, and `self` when it is known. */
  readonly members: readonly Member<L, P>[]
  /** "I am here now." The latest wins: at most one post is under way, and none is queued. */
  post(location: L | null): void
  /** Resolves when the newest post is acknowledged; rejects with a LocationError when it is refused or the room is left. */
  flush(): Promise<void>
  /** Resolves with the first snapshot; rejects with a LocationError when the room is refused or left. */
  ready(): Promise<void>
  /** Changes what others see of us besides the location. */
  update(own: { profile?: P; activity?: Activity }): void
  /** Connects now, while waiting or after a refusal. */
  retry(): void
  /** Everybody who is exactly there. The same array as before while the same people are. */
  at(location: L): readonly Member<L, P>[]
  on<K extends keyof RoomEvents<L, P>>(event: K, listener: (event: RoomEvents<L, P>[K]) => void): () => void
  /** Calls `run` now and after every change. */
  subscribe(run: (snapshot: RoomSnapshot<L, P>) => void): () => void
  /** The same object until something changes. */
  getSnapshot(): RoomSnapshot<L, P>
  /** Resolves when the server knows, or cannot be told; never rejects. */
  leave(): Promise<void>
}

export type WatchOptions<L, P> = {
  /** Leaves when aborted. */
  signal?: AbortSignal
  /** What `getLocations` answered on the server: shown at once, and resumed from. */
  initial?: GetLocationsOutput<L, P>
}
export type JoinOptions<L, P> = WatchOptions<L, P> & { location?: L | null; profile?: P }

export interface Wire<L, P> {
  openStream: OpenStream<L, P>
  post(input: PostLocationInput<L, P>, signal: AbortSignal): Promise<PostLocationOutput>
  leave(input: LeaveRoomInput, signal: AbortSignal): Promise<unknown>
  memberKey: string
  clock: Clock
  /** Told what a listener threw. */
  report(thrown: unknown): void
}

type Listeners<L, P> = { [K in keyof RoomEvents<L, P>]?: Set<(event: RoomEvents<L, P>[K]) => void> }

/** `joining`: `null` for one who only watches. */
export function openRoom<L, P>(
  id: string,
  wire: Wire<L, P>,
  joining: JoinOptions<L, P> | null,
  initial: GetLocationsOutput<L, P> | undefined,
  leave: () => Promise<void>,
): { room: Room<L, P>; close(): Promise<void> } {
  const { clock, report } = wire
  const view = new View<L, P>()
  const place = placeIndex<L, P>()
  const listeners: Listeners<L, P> = {}
  const runs = new Set<(snapshot: RoomSnapshot<L, P>) => void>()
  const expectations = new Set<() => void>()
  let timing: Pick<Hello, 'beatMs' | 'postMs'> = { beatMs: 10_000, postMs: 50 }
  let connectionKey = joining && newKey()
  let about: { profile?: P; activity?: Activity } = {}
  let own: Own<L, P> = { connectionId: null, memberId: null, draft: null, since: new Date(clock.now()) }
  let roster: Roster<L, P> = emptyRoster
  let snapshot: RoomSnapshot<L, P> = { status: { state: 'connecting' }, self: null, others: roster.others }
  let stopForgetting = () => {}

  const moment = () => ({ now: clock.now(), random: Math.random(), beatMs: timing.beatMs })
  const safely = <T>(listener: (value: T) => void, value: T) => {
    try {
      listener(value)
    } catch (thrown) {
      report(thrown)
    }
  }
  const emit = <K extends keyof RoomEvents<L, P>>(event: K, value: RoomEvents<L, P>[K]) =>
    listeners[event]?.forEach((listener) => safely(listener, value))

  /** Shows what is true now; `status` only when that changed. */
  const show = (status = snapshot.status) => {
    roster = rosterOf(view, own, roster)
    const next = keep(snapshot, { status: keep(snapshot.status, status), self: roster.self, others: roster.others })
    if (next !== snapshot) {
      snapshot = next
      runs.forEach((run) => safely(run, snapshot))
    }
    expectations.forEach((check) => check())
  }
  const shift = (shifts: Shift<L, P>[], silent = false) => {
    const before = roster
    show()
    if (!silent) for (const [kind, news] of newsBetween(before, roster, shifts)) emit(kind, news as never)
  }
  const setOwn = (change: Partial<Own<L, P>>) => {
    own = keep(own, { ...own, ...change })
  }
  const expectation = (outcome: () => Error | boolean) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        const known = outcome()
        if (!known) return
        expectations.delete(check)
        if (known === true) resolve()
        else reject(known)
      }
      expectations.add(check)
      check()
    })
  const closedBy = () => {
    const { link } = line
    return link.state === 'closed' && (link.error ?? new LocationError('closed', 'The room was left: join it again.'))
  }
  const newConnection = () => {
    connectionKey = newKey()
    setOwn({ connectionId: null })
  }

  const line = openLine<L, P>({
    clock,
    moment,
    open: (listener, anew) =>
      wire.openStream(
        {
          room: id,
          ...(connectionKey && { connectionKey }),
          ...(view.id && !anew && { lastEventId: view.id }),
        },
        listener,
      ),
    greeted(hello) {
      timing = hello
      setOwn({ connectionId: hello.connectionId })
    },
    received(eventId, event) {
      const first = view.id === null
      const applied = applyEvent(view, eventId, event)
      if (event.type === 'beat') poster.step(beaten)
      if (applied.outcome === 'shown') {
        shift(applied.shifts, first)
        if (event.type === 'snapshot' && view.stale.size) {
          stopForgetting()
          stopForgetting = clock.after(timing.beatMs, () => shift(forgetStale(view)))
        }
      }
      return applied
    },
    changed(link) {
      if (link.state === 'waiting' && link.error.code === 'connection-owned') {
        newConnection()
        poster.step(rekeyed)
      }
      const previous = snapshot.status
      show(statusOf(link))
      const current = snapshot.status
      if (current !== previous) emit('status', { previous, current })
      if (link.state === 'closed' && link.error) emit('error', { error: link.error })
      if (link.state === 'live') poster.step((box) => hastened(beaten(box)))
    },
  })

  const poster = openPoster<L, P>({
    clock,
    moment,
    postMs: () => timing.postMs,
    send: ({ draft, seq }, signal) =>
      wire.post({ ...draft, room: id, connectionKey: connectionKey!, seq, memberKey: wire.memberKey }, signal),
    acknowledged: ({ connectionId, memberId }) => setOwn({ connectionId, memberId }),
    refused: (error) => emit('error', { error }),
    disowned() {
      newConnection()
      line.connect()
    },
    changed() {
      setOwn({ draft: poster.box.newest })
      show()
    },
  })

  const write = (location: L | null) => {
    const draft = { ...about, location }
    if (!closedBy() && !sameJson(draft, poster.box.newest)) poster.write(draft)
  }
  const depart = (graceMs?: number) => {
    const { seq } = poster.box
    if (!connectionKey || !seq) return Promise.resolve()
    const controller = new AbortController()
    const stopDeadline = clock.after(2 * timing.beatMs, () => controller.abort())
    const input = { room: id, connectionKey, seq, ...(graceMs && { graceMs }) }
    return wire.leave(input, controller.signal).then(stopDeadline, stopDeadline)
  }

  const room: Room<L, P> = {
    id,
    get status() {
      return snapshot.status
    },
    get self() {
      return snapshot.self
    },
    get others() {
      return snapshot.others
    },
    get members() {
      return roster.members
    },
    post: write,
    flush() {
      const { edition } = poster.box
      return expectation(() => {
        const { acked, refusal } = poster.box
        if (refusal && refusal.edition >= edition) return refusal.error
        return acked >= edition || closedBy()
      })
    },
    ready: () => expectation(() => view.id !== null || closedBy()),
    update(change) {
      about = { ...about, ...change }
      write(poster.box.newest?.location ?? null)
    },
    retry() {
      const { link } = line
      if (link.state !== 'waiting' && !(link.state === 'closed' && link.error)) return
      line.connect()
      poster.step(hastened)
    },
    at: (location) => place(roster, location),
    on(event, listener) {
      const set: Set<typeof listener> = (listeners[event] ??= new Set() as never)
      set.add(listener)
      return () => set.delete(listener)
    },
    subscribe(run) {
      runs.add(run)
      safely(run, snapshot)
      return () => runs.delete(run)
    },
    getSnapshot: () => snapshot,
    leave,
  }

  if (initial) applyEvent(view, initial.id, initial.event)
  line.connect()
  if (joining) {
    room.update({ ...(joining.profile && { profile: joining.profile }) })
    write(joining.location ?? null)
  }
  const unfollow = followPage({
    hidden() {
      line.pause()
      poster.pause()
      void depart(3000)
    },
    restored() {
      if (closedBy()) return
      line.connect()
      poster.resume()
    },
    woken() {
      line.hurry()
      poster.step(hastened)
    },
  })
  return {
    room,
    close() {
      unfollow()
      stopForgetting()
      poster.close()
      line.close('left')
      return depart()
    },
  }
}

function statusOf(link: Reconnect): RoomStatus {
  switch (link.state) {
    case 'waiting':
      // Between two streams of which the first served its time, nothing has failed yet.
      if (!link.failures) return { state: 'connecting' }
      return { state: 'waiting', retryAt: new Date(link.retryAt), attempt: link.failures, error: link.error }
    case 'closed':
      return { state: 'closed', reason: link.reason }
    default:
      return { state: link.state }
  }
}
