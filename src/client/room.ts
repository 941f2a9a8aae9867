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
import { applyEvent, forgetStale } from '../shared/view.js'
import { newKey } from './keys.js'
import { openLine } from './line.js'
import { beaten, forgotten, hastened, rekeyed } from './outbox.js'
import { followPage } from './page.js'
import { openPoster } from './poster.js'
import type { Reconnect } from './reconnect.js'
import { sameJson, type Member } from './roster.js'
import { createStore, type RoomEvents, type RoomSnapshot, type RoomStatus } from './store.js'
import type { OpenStream } from './stream.js'

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
  post(input: PostLocationInput<L, P>, deadlineMs: number): Promise<PostLocationOutput>
  leave(input: LeaveRoomInput, deadlineMs: number): Promise<unknown>
  memberKey: string
  clock: Clock
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
  let timing: Pick<Hello, 'beatMs' | 'postMs'> = { beatMs: 10_000, postMs: 50 }
  let connectionKey = joining ? newKey() : undefined
  let about: { profile?: P; activity?: Activity } = {}
  let stopForgetting = () => {}

  const moment = () => ({ now: clock.now(), random: Math.random(), beatMs: timing.beatMs })
  const deadlineMs = () => 2 * timing.beatMs
  const newConnection = () => {
    connectionKey = newKey()
    store.own({ connectionId: null })
  }

  const line = openLine<L, P>({
    clock,
    moment,
    open: (listener, anew) =>
      wire.openStream({ room: id, connectionKey, lastEventId: anew ? undefined : (view.id ?? undefined) }, listener),
    greeted(hello) {
      timing = hello
      store.own({ connectionId: hello.connectionId })
    },
    received(eventId, event) {
      const first = view.id === null
      const applied = applyEvent(view, eventId, event)
      // A beat tells of a server that is well, whatever it answered before.
      if (event.type === 'beat') poster.step((box) => hastened(beaten(box)))
      if (applied.outcome !== 'shown') return applied
      if (first) store.show()
      else store.announce(applied.shifts)
      if (event.type === 'snapshot' && view.stale.size) {
        poster.step((box) => forgotten(box, moment()))
        stopForgetting()
        stopForgetting = clock.after(timing.beatMs, () => store.announce(forgetStale(view)))
      }
      return applied
    },
    changed(link) {
      if (link.state === 'waiting' && link.error.code === 'connection-owned') {
        newConnection()
        poster.step(rekeyed)
      }
      store.show(statusOf(link))
      if (link.state === 'closed' && link.error) store.emit('error', { error: link.error })
      if (link.state === 'live') poster.step((box) => hastened(beaten(box)))
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
      wire.post({ ...draft, room: id, connectionKey: connectionKey!, seq, memberKey: wire.memberKey }, deadlineMs()),
    acknowledged: ({ connectionId, memberId }) => store.own({ connectionId, memberId }),
    refused: (error) => store.emit('error', { error }),
    disowned() {
      newConnection()
      line.connect()
    },
    changed(draft) {
      store.own({ draft })
      store.show()
    },
  })
  const post = (location: L | null) => {
    const draft = { ...about, location }
    if (!sameJson(draft, poster.box.newest)) poster.write(draft)
  }
  const depart = async (graceMs?: number) => {
    const { seq } = poster.box
    if (!connectionKey || !seq) return
    // A server that cannot be told finds out when the lease runs out.
    await wire.leave({ room: id, connectionKey, seq, graceMs }, deadlineMs()).catch(() => {})
  }

  if (initial) applyEvent(view, initial.id, initial.event)
  if (joining) {
    const { profile, location = null } = joining
    if (profile !== undefined) about = { profile }
    post(location)
  }
  line.connect()
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
      on: store.on,
      subscribe: store.subscribe,
      getSnapshot: () => store.snapshot,
      post,
      update(change) {
        about = { ...about, ...change }
        post(poster.box.newest?.location ?? null)
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
        line.connect()
        poster.step(hastened)
      },
      leave,
    },
    close() {
      unfollow()
      stopForgetting()
      poster.pause()
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
