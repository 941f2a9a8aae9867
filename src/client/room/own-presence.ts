import type { Activity } from '../../shared/protocol.js'
import { newKey } from '../outbox/keys.js'
import type { ServerConnection } from '../connection/connection.js'
import { beaten, forgotten, hastened, rekeyed } from '../outbox/outbox.js'
import type { Pace } from './post-pace.js'
import { sameJson } from '../store/same-json.js'
import { openOutboxSender } from '../outbox/outbox-sender.js'
import { closedBy } from '../connection/room-status.js'
import type { Store } from '../store/store.js'
import type { Transport } from '../connection/transport.js'

export interface OwnPresenceOptions<L, P> {
  room: string
  wire: Transport<L, P>
  store: Store<L, P>
  pace: Pace
  /** Whether we are there for the others; who watches has no connection, and nothing to say. */
  joined: boolean
  /** By which we see the room. */
  line(): ServerConnection
}

/** What we say of ourselves besides where we are. */
export type About<P> = { profile?: P; activity?: Activity }

/** Ourselves in a room: the connection as which we are there, and what it says. */
export interface OwnPresence<L, P> {
  /** The connection's secret. */
  readonly key: string | undefined
  /** As the server says in its answers to our posts; `null` when it takes none of us. */
  whoAmI(): Promise<string | null>
  /** Says where we are. @throws LocationError `bad-input` for what JSON cannot say: then nothing has changed. */
  say(location: L | null, change?: About<P>): void
  update(change: About<P>): void
  flush(): Promise<void>
  /** Answers a beat, or a hello. */
  renew(): void
  /** The server is there: what waits to be tried again waits no longer. */
  hasten(): void
  /** The server forgot us. */
  sayAgain(): void
  /** Our key is somebody else's: makes another. */
  rekey(): void
  /** Says nothing more until `resume`, which says everything again. */
  pause(): void
  resume(): void
  /** Tells the server that we go; `graceMs`: perhaps not for good. Never rejects. */
  depart(graceMs?: number): Promise<void>
}

export function openOwnPresence<L, P>(options: OwnPresenceOptions<L, P>): OwnPresence<L, P> {
  const { room, wire, store, pace, joined, line } = options
  const { moment, deadlineMs } = pace
  let connectionKey = joined ? newKey() : undefined
  let memberId: string | null = null
  let about: About<P> = {}

  const newConnection = () => {
    connectionKey = newKey()
    store.own({ connectionId: null })
  }
  const poster = openOutboxSender<L, P>({
    clock: wire.clock,
    moment,
    postMs: () => pace.timing.postMs,
    send: ({ draft, seq }) =>
      wire.post(
        {
          ...draft,
          room,
          connectionKey: connectionKey!,
          seq,
          memberKey: wire.memberKey,
          // A hidden tab's polls are throttled to one a minute, and only polls remind us to post.
          ...(line().link.state === 'polling' && { leaseMs: 9 * pace.timing.beatMs }),
        },
        deadlineMs(),
      ),
    acknowledged({ connectionId, memberId: mine }) {
      const before = memberId
      memberId = mine
      store.own({ connectionId, memberId })
      // Somebody else signed in here: what the other tabs see is no longer ours to see.
      if (before !== null && before !== mine) line().renew()
    },
    refused(error) {
      store.emit('error', { error })
      if (memberId === null || !/^(unauthorized|forbidden)$/.test(error.code)) return
      memberId = null
      line().renew()
    },
    disowned() {
      newConnection()
      line().renew()
    },
    changed(draft) {
      store.own({ draft })
      store.show()
    },
  })
  const say: OwnPresence<L, P>['say'] = (location, change) => {
    // Absent is not a place, though a property that is `undefined` would pass for one that was left out.
    sameJson([location], [null])
    const next = { ...about, ...change }
    if (!sameJson({ ...next, location }, poster.box.newest)) poster.write({ ...next, location })
    about = next
  }

  return {
    get key() {
      return connectionKey
    },
    async whoAmI() {
      if (joined) await store.expect(() => memberId !== null || poster.box.refusal !== null || closedBy(line().link))
      return memberId
    },
    say,
    update: (change) => say(poster.box.newest?.location ?? null, change),
    flush() {
      const { edition } = poster.box
      return store.expect(() => {
        const { acked, refusal } = poster.box
        if (refusal && refusal.edition >= edition) return refusal.error
        return acked >= edition || closedBy(line().link)
      })
    },
    renew: () => poster.step((box) => hastened(beaten(box))),
    hasten: () => poster.step(hastened),
    sayAgain: () => poster.step((box) => forgotten(box, moment())),
    rekey() {
      newConnection()
      poster.step(rekeyed)
    },
    pause: poster.pause,
    resume: poster.resume,
    async depart(graceMs) {
      const { seq } = poster.box
      if (!connectionKey || !seq) return
      // A server that cannot be told finds out when the lease runs out.
      await wire.leave({ room, connectionKey, seq, graceMs }, deadlineMs()).catch(() => {})
    },
  }
}
