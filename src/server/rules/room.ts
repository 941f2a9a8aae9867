import type { PostOutcome } from '../../shared/call-types.js'
import type { Connection, LeftReason } from '../../shared/events.js'
import type { PresenceValue } from '../../shared/presence.js'
import { impliesUse } from '../../shared/speaking.js'
import type {
  Action,
  Commit,
  ConnectionChange,
  LeaveAction,
  LockAction,
  Outcome,
  PostAction,
  RevokeAction,
  RoomRules,
  RoomState,
  ShortenAction,
  UnlockAction,
} from './backend.js'
import { RoomLocks, type Moment } from './locks.js'
import { noPresence, noProfile, shownConnection, type PresentConnection } from './present-connection.js'
import { Tombstones, type Departure } from './tombstones.js'

/** The changes of the current batch to one connection. `shown`: viewers knew the connection before the batch. */
type Draft = { shown: boolean; entered: boolean; change: ConnectionChange }

/**
 * The rules of one room: which connections are present, which posts are applied, when a connection has left. No I/O, no
 * clock: the same actions at the same times lead to the same commits.
 */
export class RoomMachine {
  readonly epoch: string
  #version: number
  #floor: number
  readonly #rules: RoomRules
  readonly #present = new Map<string, PresentConnection>()
  readonly #connectionsOf = new Map<string, number>()
  readonly #tombstones: Tombstones
  #nextLeaseEnd = Infinity
  #drafts = new Map<string, Draft>()
  #stalledMs = 0
  readonly #locks: RoomLocks

  /**
   * @param nowMicros the first version of this epoch, in microseconds.
   * @param claimsUntil until this time of the lease clock, only a connection that held a place before the room lost its
   * state may lock that place.
   */
  constructor(epoch: string, nowMicros: number, rules: RoomRules, claimsUntil = -Infinity) {
    this.epoch = epoch
    this.#version = this.#floor = nowMicros
    this.#rules = rules
    const live = (connectionId: string, { now, version }: Moment) => this.#live(connectionId, now, version)
    const changed = (connectionId: string, { version }: Moment) => this.#showLocks(connectionId, version)
    this.#locks = new RoomLocks(rules, { live, changed }, claimsUntil)
    this.#tombstones = new Tombstones(rules.tombstoneMs, (connectionId) => this.#locks.forget(connectionId))
  }

  /** A time before which no lease and no lock ends; `Infinity` in an empty room. */
  get nextLeaseEnd(): number {
    return Math.min(this.#nextLeaseEnd, this.#locks.nextEnd(this.#stalledMs))
  }

  get isEmpty(): boolean {
    return this.#present.size === 0
  }

  /** The state that a hub receives when it opens the room. */
  state(): RoomState {
    return {
      epoch: this.epoch,
      version: this.#version,
      floor: this.#floor,
      connections: Array.from(this.#present.values(), (known) => this.#asConnection(known)),
      left: this.#tombstones.left(),
    }
  }

  /**
   * Carries out a batch of actions as at most one commit. The commit is `null` when viewers have nothing new to see.
   *
   * @param now the time for leases, in milliseconds.
   * @param nowMicros the wall clock time for versions, in microseconds.
   * @param stalledMs for how long the lease clock has stood still so far, in milliseconds. Locks expire even while it
   * stands still.
   */
  act(
    actions: readonly Action[],
    now: number,
    nowMicros: number,
    stalledMs = 0,
  ): { outcomes: Outcome[]; commit: Commit | null } {
    this.#stalledMs = stalledMs
    const prev = this.#version
    // Versions strictly increase within an epoch. A double holds them exactly until the year 2255.
    const version = Math.max(nowMicros, prev + 1)
    this.#locks.settle(this.#moment(now, version))
    const outcomes = actions.map((action) => this.#step(action, now, version))
    if (this.#drafts.size === 0) return { outcomes, commit: null }
    const commit: Commit = { epoch: this.epoch, prev, version, entered: [], changed: [], left: [] }
    for (const [connectionId, draft] of this.#drafts) this.#conclude(connectionId, draft, commit)
    this.#drafts = new Map()
    this.#version = version
    return { outcomes, commit }
  }

  #step(action: Action, now: number, version: number): Outcome {
    switch (action.type) {
      case 'post':
        return this.#post(action, now, version)
      case 'leave':
        return this.#leave(action, now, version)
      case 'shorten':
        return this.#shorten(action, now)
      case 'revoke':
        return this.#revoke(action, now, version)
      case 'sweep':
        return this.#sweep(now, version)
      case 'lock':
      case 'unlock':
        return this.#lock(action, this.#moment(now, version))
      case 'release':
        return { type: 'released', wasHeld: this.#locks.release(action.location, this.#moment(now, version)) }
      case 'checkLock':
        return { type: 'lockChecked', isHeld: this.#locks.check(action, this.#moment(now, version)) }
    }
  }

  #post(post: PostAction, now: number, version: number): Outcome {
    const known = this.#live(post.connectionId, now, version)
    const tombstone = known ? undefined : this.#tombstones.of(post.connectionId)
    const last = known ?? tombstone
    if (last && post.owned && last.memberId !== null && last.memberId !== post.memberId) return { type: 'owned' }
    // A connection that left stays out, even when a post arrives late. A connection that was lost may come back.
    if (tombstone && tombstone.reason !== 'lost') return posted('left', post, tombstone)
    const seq = post.seq ?? (last ? last.seq + 1 : 1)
    // No seq can follow the largest integer that JSON carries exactly: the connection needs a new key.
    if (last && seq > Number.MAX_SAFE_INTEGER) return posted('stale', post, last)
    // The server cannot distinguish a retry from a reordered request: only a post with a newer seq is applied.
    if (last && seq < last.seq) return posted('stale', post, last)
    if (tombstone && seq === tombstone.seq) return posted('expired', post, tombstone)
    if (!known) return this.#enter(post, seq, now, version)
    if (seq === known.seq) {
      if (!known.leaving) this.#renew(known, now)
      return posted('same', post, known)
    }
    known.seq = seq
    known.leaving = false
    known.leaseMs = post.leaseMs
    this.#renew(known, now)
    return posted(this.#show(known, post, version) ? 'applied' : 'same', post, known, version)
  }

  #enter(post: PostAction, seq: number, now: number, version: number): Outcome {
    const { connectionId, memberId } = post
    if (this.#present.size >= this.#rules.roomConnections) return { type: 'full', of: 'room' }
    const siblings = this.#connectionsOf.get(memberId) ?? 0
    if (siblings >= this.#rules.memberConnections) return { type: 'full', of: 'member' }
    const { location, profile = noProfile, activity = 'active', presence = noPresence, activeAgoMs = 0, leaseMs } = post
    const activeAt = Math.max(1, version - Math.round(activeAgoMs * 1_000))
    const shown = { connectionId, memberId, location, profile, activity, presence, at: version, activeAt }
    const entering: PresentConnection = { ...shown, seq, leaseMs, leaseEnd: Infinity, stalledMs: 0, leaving: false }
    // A connection with a tombstone was shown before. If it leaves again in this batch, viewers must be told again that
    // it left.
    this.#draft(connectionId, this.#tombstones.isShown(connectionId)).entered = true
    this.#tombstones.remove(connectionId)
    this.#present.set(connectionId, entering)
    this.#connectionsOf.set(memberId, siblings + 1)
    this.#renew(entering, now)
    return posted('applied', post, entering, version)
  }

  /**
   * Applies the changed fields of a post to its connection. Returns false when nothing changed and the post is no use
   * of the connection.
   */
  #show(known: PresentConnection, post: PostAction, version: number): boolean {
    const { location, profile = known.profile, activity = known.activity, presence = known.presence } = post
    const change: ConnectionChange = { connectionId: known.connectionId }
    if (location.json !== known.location.json) change.location = location.value
    if (profile.json !== known.profile.json) change.profile = profile.value
    if (activity !== known.activity) change.activity = activity
    if (presence.json !== known.presence.json) change.presence = presence.value as PresenceValue
    const isUsed = post.used === true || impliesUse(change)
    if (Object.keys(change).length === 1 && !isUsed) return false
    Object.assign(this.#draft(known.connectionId, true).change, change)
    Object.assign(known, { location, profile, activity, presence, at: version, ...(isUsed && { activeAt: version }) })
    return true
  }

  #leave(leave: LeaveAction, now: number, version: number): Outcome {
    const { connectionId, memberId, graceMs } = leave
    const known = this.#live(connectionId, now, version)
    const last = known ?? this.#tombstones.of(connectionId)
    if (last && memberId !== null && last.memberId !== null && last.memberId !== memberId) return { type: 'owned' }
    const seq = Math.max(leave.seq ?? 0, last?.seq ?? 0)
    if (!known) {
      this.#bury({ connectionId, memberId, seq, reason: 'left', at: version }, now)
      return { type: 'left' }
    }
    if (graceMs === 0) {
      known.seq = seq
      this.#remove(known, 'left', now, version)
      return { type: 'left' }
    }
    // Ignored: a newer post was applied first and undoes this leave.
    if (leave.seq !== undefined && leave.seq < known.seq) return { type: 'leaving' }
    // Raises the stored seq, so that posts sent before the leave do not undo it when they arrive late.
    known.seq = seq
    known.leaving = true
    this.#setLeaseEnd(known, Math.min(known.leaseEnd, now + graceMs))
    return { type: 'leaving' }
  }

  #shorten({ connectionId, leaseMs }: ShortenAction, now: number): Outcome {
    const known = this.#present.get(connectionId)
    if (known) this.#setLeaseEnd(known, Math.min(known.leaseEnd, now + leaseMs))
    return { type: 'done' }
  }

  #revoke({ memberId }: RevokeAction, now: number, version: number): Outcome {
    for (const known of this.#present.values())
      if (known.memberId === memberId) this.#remove(known, 'revoked', now, version)
    return { type: 'done' }
  }

  #lock(action: LockAction | UnlockAction, moment: Moment): Outcome {
    const known = this.#live(action.connectionId, moment.now, moment.version)
    if (known && action.memberId !== null && known.memberId !== action.memberId) return { type: 'owned' }
    return action.type === 'lock'
      ? { type: 'lock', reply: this.#locks.lock(action, known, moment) }
      : { type: 'unlock', reply: this.#locks.unlock(action, known, moment) }
  }

  #showLocks(connectionId: string, version: number): void {
    this.#present.get(connectionId)!.at = version
    this.#draft(connectionId, true).change.locks = this.#locks.of(connectionId)
  }

  #sweep(now: number, version: number): Outcome {
    if (now >= this.#nextLeaseEnd) {
      this.#nextLeaseEnd = Infinity
      for (const known of this.#present.values()) {
        if (now >= known.leaseEnd) this.#expire(known, now, version)
        else this.#nextLeaseEnd = Math.min(this.#nextLeaseEnd, known.leaseEnd)
      }
    }
    this.#locks.sweep(this.#moment(now, version))
    // Once a tombstone is purged, changes no longer tell a viewer below its version that the connection left: such a viewer
    // gets a snapshot.
    this.#floor = Math.max(this.#floor, this.#tombstones.purge(now))
    return { type: 'done' }
  }

  /**
   * Returns a connection if it is present. If its lease has expired, it is removed first, and expired locks end first,
   * so that every rule sees the current room.
   */
  #live(connectionId: string, now: number, version: number): PresentConnection | undefined {
    const known = this.#present.get(connectionId)
    if (known && now < known.leaseEnd) this.#locks.lapse(connectionId, this.#moment(now, version))
    if (!known || now < known.leaseEnd) return known
    this.#expire(known, now, version)
    return undefined
  }

  #expire(known: PresentConnection, now: number, version: number): void {
    this.#remove(known, known.leaving ? 'left' : 'lost', now, version)
  }

  #remove(known: PresentConnection, reason: LeftReason, now: number, version: number): void {
    const { connectionId, memberId, seq } = known
    const siblings = this.#connectionsOf.get(memberId)! - 1
    if (siblings === 0) this.#connectionsOf.delete(memberId)
    else this.#connectionsOf.set(memberId, siblings)
    this.#present.delete(connectionId)
    this.#locks.end(connectionId)
    const draft = this.#draft(connectionId, true)
    draft.entered = false
    draft.change = { connectionId }
    this.#bury({ connectionId, memberId, seq, reason, at: version }, now)
  }

  /** Records that a connection is gone, or that it left before its first post arrived. */
  #bury(departure: Departure, now: number): void {
    const wasShown = this.#drafts.get(departure.connectionId)?.shown === true
    this.#tombstones.add(departure, wasShown, now)
  }

  #renew(known: PresentConnection, now: number): void {
    known.stalledMs = this.#stalledMs
    this.#setLeaseEnd(known, now + known.leaseMs)
    this.#locks.renew(known.connectionId, now, this.#stalledMs)
  }

  #setLeaseEnd(known: PresentConnection, leaseEnd: number): void {
    known.leaseEnd = leaseEnd
    this.#nextLeaseEnd = Math.min(this.#nextLeaseEnd, leaseEnd)
  }

  #moment(now: number, version: number): Moment {
    return { now, version, stalledMs: this.#stalledMs }
  }

  #draft(connectionId: string, shown: boolean): Draft {
    let draft = this.#drafts.get(connectionId)
    if (!draft) this.#drafts.set(connectionId, (draft = { shown, entered: false, change: { connectionId } }))
    return draft
  }

  /** Adds one entry to the commit for a connection, however often the batch changed it. */
  #conclude(connectionId: string, { shown, entered, change }: Draft, commit: Commit): void {
    const known = this.#present.get(connectionId)
    if (known && entered) commit.entered.push(this.#asConnection(known))
    else if (known) {
      const isToldApart = known.activeAt === commit.version && !impliesUse(change)
      commit.changed.push(isToldApart ? { ...change, activeAt: known.activeAt } : change)
    } else if (shown) {
      const { at, reason } = this.#tombstones.of(connectionId)!
      commit.left.push({ connectionId, at, reason })
    }
  }

  #asConnection(known: PresentConnection): Connection {
    const locks = this.#locks.of(known.connectionId)
    return locks.length > 0 ? { ...shownConnection(known), locks } : shownConnection(known)
  }
}

function posted(
  outcome: PostOutcome,
  post: PostAction,
  { memberId, seq }: { memberId: string | null; seq: number },
  version = 0,
): Outcome {
  return {
    type: 'posted',
    outcome,
    memberId: memberId ?? post.memberId,
    seq,
    version: outcome === 'applied' ? version : 0,
  }
}
