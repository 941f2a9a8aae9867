import type { Clock } from '../shared/clock.js'
import { LocationError } from '../shared/errors.js'
import type {
  Activity,
  GetLocationsInput,
  GetLocationsOutput,
  Hello,
  LeaveRoomInput,
  PostLocationInput,
  PostLocationOutput,
} from '../shared/protocol.js'
import { applyEvent, forgetStale } from '../shared/view.js'
import { followAbsence } from './absence.js'
import { failureOf } from './failure.js'
import { newKey } from './keys.js'
import { later } from './later.js'
import { openLine } from './line.js'
import { beaten, forgotten, hastened, rekeyed } from './outbox.js'
import { followPage } from './page.js'
import { sameJson } from './places.js'
import { openPoster } from './poster.js'
import { isPresent, isProbing, type Reconnect } from './reconnect.js'
import type { Member } from './roster.js'
import { createStore, type RoomEvents, type RoomSnapshot, type RoomStatus } from './store.js'
import type { OpenStream } from './stream.js'
import type { ShareStream } from './tab-stream.js'

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
  /**
   * Changes what others see of us besides the location. In a browser the activity follows by itself from input and
   * visibility, until it is said here.
   */
  update(own: { profile?: P; activity?: Activity }): void
  /** Connects now, while waiting or after a refusal. */
  retry(): void
  /** One of the others by id; `null` when they are not here, or are ourselves. */
  other(memberId: string): Member<L, P> | null
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
  url: string
  openStream: OpenStream<L, P>
  /** One stream for all tabs of this browser that are the same member, where there are such things as tabs. */
  shareStream: ShareStream<L, P> | null
  ask(input: GetLocationsInput, deadlineMs: number): Promise<GetLocationsOutput<L, P>>
  post(input: PostLocationInput<L, P>, deadlineMs: number): Promise<PostLocationOutput>
  leave(input: LeaveRoomInput, deadlineMs: number): Promise<unknown>
  memberKey: string
  clock: Clock
  lostMs: number
  idleMs: number
  awayMs: number
  /** Told what a listener threw. */
  report(thrown: unknown): void
}

/** `joining`: `null` for one who only watches. */
export function openRoom<L, P>(
  id: string,
  wire: Wire<L, P>,
  joining: JoinOptions<L, P> | null,
  initial: GetLocationsOutput<L, P> | undefined,
  leave: () => Promise<void>,
): { room: Room<L, P>; close(): Promise<void> } {
  const { clock } = wire
  const store = createStore<L, P>(new Date(clock.now()), wire.report)
  const { view } = store
  let timing: Pick<Hello, 'beatMs' | 'leaseMs' | 'postMs'> = { beatMs: 10_000, leaseMs: 30_000, postMs: 50 }
  let connectionKey = joining ? newKey() : undefined
  let memberId: string | null = null
  let about: { profile?: P; activity?: Activity } = {}
  let stopForgetting = () => {}

  const moment = () => ({ now: clock.now(), random: Math.random(), beatMs: timing.beatMs })
  const deadlineMs = () => 2 * timing.beatMs
  const lastEventId = () => view.id ?? undefined
  /** Until then, the next frame tells what we missed. */
  let catchingUpUntil = -Infinity
  const catchUp = () => {
    catchingUpUntil = clock.now() + timing.beatMs / 10
  }
  const newConnection = () => {
    connectionKey = newKey()
    store.own({ connectionId: null })
  }

  const line = openLine<L, P>({
    clock,
    moment,
    open(listener, anew) {
      const input = { room: id, lastEventId: anew ? undefined : lastEventId() }
      if (wire.shareStream)
        return wire.shareStream(input, listener, { connectionKey, whoAmI, view, beatMs: timing.beatMs })
      return wire.openStream({ ...input, connectionKey }, listener)
    },
    poll: (listener, anew) =>
      later(
        import('./poll.js'),
        ({ poll }) => {
          const ask = () => wire.ask({ room: id, lastEventId: anew() ? undefined : lastEventId() }, deadlineMs())
          return poll({
            ...listener,
            clock,
            moment,
            ask,
            failureOf: (thrown) => ({ ...failureOf(thrown, wire.url), obstructed: false }),
          })
        },
        (thrown) => listener.failed(failureOf(thrown)),
      ),
    greeted(hello) {
      timing = hello
      catchUp()
      // A stream that is shared with other tabs is nobody's; our posts are told who we are.
      if (hello.connectionId !== null) store.own({ connectionId: hello.connectionId })
    },
    beaten: () => poster.step(beaten),
    received(eventId, event) {
      const first = view.id === null
      const applied = applyEvent(view, eventId, event)
      // A beat tells of a server that is well, whatever it answered before.
      if (event.type === 'beat') poster.step((box) => hastened(beaten(box)))
      if (applied.outcome !== 'shown') return applied
      const caughtUp = clock.now() < catchingUpUntil
      catchingUpUntil = -Infinity
      if (first) store.take(applied.shifts)
      else store.announce(applied.shifts, caughtUp)
      if (event.type === 'snapshot' && view.stale.size) {
        poster.step((box) => forgotten(box, moment()))
        stopForgetting()
        // Whoever waited longest to try again (reconnect.ts: three beats) has been back for a while then.
        const patienceMs = timing.leaseMs + timing.beatMs
        stopForgetting = clock.after(patienceMs, () => store.announce(forgetStale(view)))
      }
      return applied
    },
    changed(link) {
      if (link.state === 'waiting' && link.error.code === 'connection-owned') {
        newConnection()
        poster.step(rekeyed)
      }
      const polls = link.state === 'polling'
      if (polls && store.snapshot.status.state !== 'polling') catchUp()
      if (link.state === 'closed') absence.stop()
      else absence.note(isPresent(link))
      store.show(statusOf(link))
      if (link.state === 'closed' && link.error) store.emit('error', { error: link.error })
      if (link.state === 'live' && !link.degraded) poster.step((box) => hastened(beaten(box)))
    },
  })
  const absence = followAbsence({
    clock,
    lostMs: wire.lostMs,
    lost(since) {
      store.away(true)
      store.show()
      store.emit('lost', { since: new Date(since), status: store.snapshot.status })
    },
    restored(since) {
      store.away(false)
      store.show()
      store.emit('restored', { since: new Date(since), awayMs: clock.now() - since })
    },
  })
  const closedBy = () => {
    const { link } = line
    return link.state === 'closed' && (link.error ?? new LocationError('closed', 'The room was left: join it again.'))
  }

  const poster = openPoster<L, P>({
    clock,
    moment,
    postMs: () => timing.postMs,
    send: ({ draft, seq }) =>
      wire.post(
        {
          ...draft,
          room: id,
          connectionKey: connectionKey!,
          seq,
          memberKey: wire.memberKey,
          // A hidden tab's polls are throttled to one a minute, and only polls remind us to post.
          ...(line.link.state === 'polling' && { leaseMs: 9 * timing.beatMs }),
        },
        deadlineMs(),
      ),
    acknowledged({ connectionId, memberId: mine }) {
      const before = memberId
      memberId = mine
      store.own({ connectionId, memberId })
      // Somebody else signed in here: what the other tabs see is no longer ours to see.
      if (before !== null && before !== mine) line.renew()
    },
    refused(error) {
      store.emit('error', { error })
      if (memberId === null || !/^(unauthorized|forbidden)$/.test(error.code)) return
      memberId = null
      line.renew()
    },
    disowned() {
      newConnection()
      line.renew()
    },
    changed(draft) {
      store.own({ draft })
      store.show()
    },
  })
  /** Says something new. @throws LocationError `bad-input` for what JSON cannot say: then nothing has changed. */
  const say = (location: L | null, change: typeof about = {}) => {
    // Absent is not a place, though a property that is `undefined` would pass for one that was left out.
    sameJson([location], [null])
    const next = { ...about, ...change }
    if (!sameJson({ ...next, location }, poster.box.newest)) poster.write({ ...next, location })
    about = next
  }
  const post = (location: L | null) => say(location)
  /** As the server says in its answers to our posts; `null` when it takes none of us. */
  const whoAmI = async () => {
    if (joining) await store.expect(() => memberId !== null || poster.box.refusal !== null || closedBy())
    return memberId
  }
  const depart = async (graceMs?: number) => {
    const { seq } = poster.box
    if (!connectionKey || !seq) return
    // A server that cannot be told finds out when the lease runs out.
    await wire.leave({ room: id, connectionKey, seq, graceMs }, deadlineMs()).catch(() => {})
  }

  if (initial) {
    const applied = applyEvent(view, initial.id, initial.event)
    if (applied.outcome === 'shown') store.take(applied.shifts)
  }
  if (joining) {
    const { profile, location = null } = joining
    say(location, { ...(profile !== undefined && { profile }) })
  }
  line.connect()
  const { idleMs, awayMs } = wire
  const update = (change: typeof about) => say(poster.box.newest?.location ?? null, change)
  // Nobody is idle in the first second: this may come later. Without it everything else goes on.
  const unattend =
    joining && typeof document !== 'undefined'
      ? later(
          import('./follow-attention.js'),
          ({ followAttention }) =>
            followAttention({ clock, idleMs, awayMs, changed: (activity) => update({ activity }) }),
          () => {},
        )
      : () => {}
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
    room: {
      id,
      get status() {
        return store.snapshot.status
      },
      get self() {
        return store.snapshot.self
      },
      get others() {
        return store.snapshot.others
      },
      get members() {
        return store.members
      },
      at: store.at,
      other: store.other,
      on: store.on,
      subscribe: store.subscribe,
      getSnapshot: () => store.snapshot,
      post,
      update(change) {
        if (change.activity !== undefined) unattend()
        update(change)
      },
      flush() {
        const { edition } = poster.box
        return store.expect(() => {
          const { acked, refusal } = poster.box
          if (refusal && refusal.edition >= edition) return refusal.error
          return acked >= edition || closedBy()
        })
      },
      ready: () => store.expect(() => view.id !== null || closedBy()),
      retry() {
        // There is an error while waiting and after a refusal; none when live, or left.
        if (!('error' in line.link && line.link.error)) return
        const isClosed = closedBy()
        line.connect()
        // The page may have been away while the room was closed: then nothing was posted since.
        if (isClosed) poster.resume()
        else poster.step(hastened)
      },
      leave,
    },
    close() {
      unfollow()
      unattend()
      stopForgetting()
      poster.pause()
      line.close('left')
      return depart()
    },
  }
}

function statusOf(link: Reconnect): RoomStatus {
  const { obstacle, failures } = link
  switch (link.state) {
    case 'live':
      return { state: link.degraded ? 'degraded' : 'live' }
    case 'polling':
      if (link.answered) return { state: 'polling', error: link.error }
      return { state: 'connecting' }
    case 'waiting':
      // Between two streams of which the first served its time, nothing has failed yet.
      if (!failures) return { state: 'connecting' }
      return { state: 'waiting', retryAt: new Date(link.retryAt), attempt: failures, error: link.error }
    case 'closed':
      return { state: 'closed', reason: link.reason, error: link.error }
    default:
      return obstacle && isProbing(link) ? { state: 'polling', error: obstacle.error } : { state: 'connecting' }
  }
}
