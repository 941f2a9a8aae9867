import type { Activity } from '../../shared/events.js'
import type { PostLocationOutput } from '../../shared/call-types.js'
import { LocationError } from '../../shared/errors.js'
import type { ConnectionState } from '../connection/connection-state.js'
import { failureOf } from '../connection/failure.js'
import { clamped } from '../connection/wire-limits.js'
import { closedBy } from '../connection/room-status.js'
import type { Transport } from '../connection/transport.js'
import { newKey } from '../outbox/keys.js'
import { openOutboxSender } from '../outbox/outbox-sender.js'
import {
  forgotten,
  hastened,
  heartbeatReceived,
  rekeyed,
  replaced,
  type OutboxDraft,
  type OutboxPost,
} from '../outbox/outbox.js'
import { copied } from '../../shared/frozen.js'
import { sameJson } from '../store/same-json.js'
import type { Store } from '../store/store.js'
import type { EpochWatch } from './epoch-watch.js'
import type { Pace } from './post-pace.js'
import type { RoomTypes } from '../../shared/room-types.js'

export interface OwnPresenceOptions<T extends RoomTypes> {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: Pace
  /** Called with the event id of each reply to our posts. */
  told: EpochWatch
  /** False when we only watch the room: then we have no connection key, and nothing is posted. */
  joined: boolean
  /** Returns the state of the connection that brings the events of the room. */
  link(): ConnectionState
  /** Opens the connection that brings the events of the room again, with our newest key. */
  reconnect(): void
}

/** The profile and the activity: the part of our state that `room.update` changes. */
export type OwnAttributes<T extends RoomTypes> = {
  /** `null` removes the profile. */
  profile?: T['profile'] | null
  activity?: Activity
}

/** The keys of a presence value to change. A key whose value is `undefined` is removed. */
export type PresencePatch<Presence> = Presence extends object
  ? { [K in keyof Presence]?: Presence[K] | undefined }
  : never

/** Our own presence in a room: our connection key and what we post. */
export interface OwnPresence<T extends RoomTypes> {
  /** The secret key of our connection; `undefined` when we only watch. */
  readonly key: string | undefined
  /** The time at which the newest post that the server accepted was sent. */
  readonly acceptedAt: number
  /**
   * Resolves to our member id from the server's replies to our posts; `null` when a post of ours failed, and when no
   * post was answered by the time that `patience` resolves.
   */
  whoAmI(patience: Promise<void>): Promise<string | null>
  /** Posts our first location. @throws LocationError `bad-input` when a value is not JSON; then nothing has changed. */
  enter(location: T['location'] | null, change: OwnAttributes<T>): void
  /**
   * Posts our location. A value that is not JSON is not posted; an `error` event reports it like a refusal of the
   * server.
   */
  post(location: T['location'] | null, change?: OwnAttributes<T>): void
  update(change: OwnAttributes<T>): void
  /** Changes our presence value by key. A value that is not JSON is reported as `post` reports it. */
  setPresence(patch: PresencePatch<T['presence']>): void
  /** Posts that somebody uses this page, if the server lists the feature `used`. */
  use(): void
  flush(): Promise<void>
  /** Renews our lease after a heartbeat or a hello. */
  renew(): void
  /** Sends posts that wait for a retry at once. Called when the server is reachable. */
  hasten(): void
  /** Sends the post in flight again, because it may hang on a dead socket. */
  replace(): void
  /** Posts our state again, after the server lost the state of the room. */
  postAgain(): void
  /** Makes a new connection key, because ours belongs to another member. */
  rekey(): void
  /** Stops posting until `resume`, which posts everything again. */
  pause(): void
  resume(): void
  /** Tells the server that we leave. With `graceMs`, the server waits that long for us to return. Never rejects. */
  depart(graceMs?: number): Promise<void>
}

export function openOwnPresence<T extends RoomTypes>(options: OwnPresenceOptions<T>): OwnPresence<T> {
  const { room, transport, store, pace, told, joined, link, reconnect } = options
  const { context, deadlineMs } = pace
  let connectionKey = joined ? newKey() : undefined
  let memberId: string | null = null
  /** `''` when a stream was opened although the server had not told us our member id; otherwise `null`. */
  let guest: '' | null = null
  let attributes: Partial<OutboxDraft<T>> = {}
  /** True when the newest post left our presence value out, because the server has not listed that feature. */
  let isWithheld = false
  let hasReported = false
  /**
   * The time of the last join, move, return to `active`, or input while another window represented us: the last use of
   * this page.
   */
  let usedAt = context().now
  let acceptedAt = -Infinity
  const understands = (feature: string) => pace.timing.features?.includes(feature)

  const newConnection = () => {
    connectionKey = newKey()
    store.own({ connectionId: null })
  }
  // While polling, posts ask for a long lease: a browser throttles the polls of a hidden tab to one a minute, and the
  // lease is renewed after a poll.
  let isLongLeaseAllowed = true
  const send = async (post: OutboxPost<T>): Promise<PostLocationOutput> => {
    const { presence, ...draft } = post.draft
    isWithheld = presence !== undefined && !understands('presence')
    if (isWithheld && pace.timing.features && !hasReported) {
      hasReported = true
      store.fail(new LocationError('misconfigured', 'This server has no presence schema.'))
    }
    const asksForLongLease = isLongLeaseAllowed && link().state === 'polling'
    try {
      return await transport.post(
        {
          ...draft,
          // Left out, not `undefined`: a transformer would send the key, which a router without presence values
          // refuses.
          ...(presence !== undefined && !isWithheld && { presence }),
          ...(understands('used') && { activeAgoMs: Math.min(context().now - usedAt, 86_400_000) }),
          room,
          connectionKey: connectionKey!,
          seq: post.seq,
          memberKey: transport.memberKey,
          ...(asksForLongLease && { leaseMs: 9 * pace.timing.beatMs }),
        },
        deadlineMs(),
      )
    } catch (error) {
      // The server may allow only shorter leases, which a hello would have told us: the post is sent again for a
      // default lease.
      if (!asksForLongLease || failureOf(error).error.code !== 'bad-input') throw error
      isLongLeaseAllowed = false
      return send(post)
    }
  }
  const acknowledged = ({ outcome, connectionId, memberId: own, id, postMs }: PostLocationOutput) => {
    pace.askedMs = clamped(postMs, 0, pace.timing.beatMs, 0)
    if (outcome === 'applied' || outcome === 'same') acceptedAt = sender.box.sentAt
    told('post', id)
    const before = memberId ?? guest
    memberId = own
    store.own({ connectionId, memberId })
    guest = null
    // Another member signed in on this page: we may no longer share the stream of the previous member's tabs.
    if (before !== null && before !== own) reconnect()
  }
  const refused = (error: LocationError) => {
    // The refused attributes are dropped, so that the next change does not post them again.
    attributes = { ...(sender.box.newest ?? attributes), used: undefined }
    store.emit('error', { error })
    if (memberId === null || !/^(unauthorized|forbidden)$/.test(error.code)) return
    memberId = null
    reconnect()
  }
  const sender = openOutboxSender<T>({
    clock: transport.clock,
    context,
    spacing: () => [pace.timing.postMs, pace.timing.presenceMs ?? 100, pace.askedMs],
    send,
    acknowledged,
    refused,
    disowned() {
      newConnection()
      reconnect()
    },
    changed(draft) {
      store.own({ draft, postError: sender.box.error })
      store.show()
    },
  })
  const enter = (location: T['location'] | null, change?: Partial<OutboxDraft<T>>) => {
    // `sameJson` throws for a value that is not JSON. The location is an item of an array, because a property that is
    // `undefined` would count as left out.
    sameJson([location, { ...change }], null)
    if (!change || change.activity === 'active') usedAt = context().now
    // If the server has not acknowledged yet that this page was used, the next post repeats it.
    const { newest, acked, edition } = sender.box
    const used = (acked < edition && newest?.used) || undefined
    const draft = copied({ ...attributes, ...change, location, used })
    if (!sameJson(draft, sender.box.newest)) sender.write(draft, !change?.presence)
    attributes = { ...draft, used: undefined }
  }
  let unsendable: LocationError | null = null
  const post = (location: T['location'] | null, change?: Partial<OutboxDraft<T>>) => {
    try {
      unsendable = null
      enter(location, change)
    } catch (thrown) {
      // Reported, not thrown: an exception would unmount a React app, as a value that the server refuses does not.
      const error = (unsendable = thrown as LocationError)
      queueMicrotask(() => refused(error))
    }
  }

  return {
    get key() {
      return connectionKey
    },
    get acceptedAt() {
      return acceptedAt
    },
    async whoAmI(patience) {
      const settled = () => memberId !== null || sender.box.failures > 0 || sender.box.refusal !== null
      if (joined) await Promise.race([store.expect(() => settled() || closedBy(link())), patience])
      guest = memberId === null ? '' : null
      return memberId
    },
    enter,
    post,
    update: (change) => post(sender.box.newest?.location ?? null, change),
    setPresence(patch) {
      const { newest } = sender.box
      post(newest?.location ?? null, { presence: { ...(newest?.presence as object), ...patch } })
    },
    use() {
      const { newest } = sender.box
      if (!newest || !understands('used')) return
      usedAt = context().now
      sender.write({ ...newest, used: true })
    },
    flush() {
      const { edition } = sender.box
      const unsent = unsendable
      return store.expect(() => {
        if (unsent) return unsent
        const { acked, refusal } = sender.box
        if (refusal && refusal.edition >= edition) return refusal.error
        return acked >= edition || closedBy(link())
      })
    },
    renew() {
      const { newest } = sender.box
      if (isWithheld && newest && understands('presence')) sender.write({ ...newest })
      sender.step((box) => hastened(heartbeatReceived(box)))
    },
    hasten: () => sender.step(hastened),
    replace: () => sender.step(replaced),
    postAgain: () => sender.step((box) => forgotten(box, context())),
    rekey() {
      newConnection()
      sender.step(rekeyed)
    },
    pause: sender.pause,
    resume: sender.resume,
    async depart(graceMs) {
      const { seq } = sender.box
      if (!connectionKey || !seq) return
      // The leave request is best effort: when it fails, the server removes the connection when its lease expires.
      await transport.leave({ room, connectionKey, seq, graceMs }, deadlineMs()).catch(() => {})
    },
  }
}
