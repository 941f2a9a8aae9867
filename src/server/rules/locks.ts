import type { ConnectionLock, LockHolder, LockLocationOutput, UnlockLocationOutput } from '../../shared/lock-types.js'
import type { CheckLockAction, LockAction, RoomRules, StoredValue, UnlockAction } from './backend.js'
import { LockClaims } from './lock-claims.js'

/**
 * The part of a present connection that locks depend on. `stalledMs` is that of `Moment`, at the connection's last
 * accepted post.
 */
export type Locker = LockHolder & { leaving: boolean; leaseMs: number; leaseEnd: number; stalledMs: number }

/** The room that the locks belong to, as the locks use it. */
export type LockRoom = {
  /**
   * Returns a connection if it is present. An expired lease removes the connection first, and expired locks end first.
   */
  live(connectionId: string, moment: Moment): Locker | undefined
  /** Tells viewers that the locks of a connection changed. */
  changed(connectionId: string, moment: Moment): void
}

/**
 * The time of one batch of actions: the time for leases in milliseconds, and the version that the batch leads to.
 * `stalledMs`: for how long the lease clock has stood still so far. The time of locks does not stand still, because
 * their holders measure it by their own clocks.
 */
export type Moment = { now: number; version: number; stalledMs: number }

type Lock = { location: StoredValue; fence: number }
/**
 * The lock record of one connection. `end`: the time, stalls included, at which its locks end unless the connection
 * posts.
 */
type Kept = { lockSeq: number; locks: Lock[]; end: number }

/**
 * A fence is a version, in microseconds. A claim whose fence is further ahead of the clock than this is not genuine.
 */
const mostAheadMicros = 60_000_000

/**
 * The locks of one room: which connection may edit which place. A lock ends with its connection, and at the latest
 * `lockMs` after the last post of its holder. No I/O, no clock.
 */
export class RoomLocks {
  readonly #rules: RoomRules
  readonly #room: LockRoom
  readonly #claims: LockClaims
  readonly #kept = new Map<string, Kept>()
  /** The holder of each place, by the JSON of the location. */
  readonly #holders = new Map<string, string>()
  #lastFence = 0
  #nextEnd = Infinity

  /**
   * @param claimsUntil until this time, only a connection that held a place before the room lost its state may lock
   * that place.
   */
  constructor(rules: RoomRules, room: LockRoom, claimsUntil: number) {
    this.#rules = rules
    this.#room = room
    this.#claims = new LockClaims(claimsUntil)
  }

  /** Returns a time of the lease clock before which no lock expires and no claim is granted. */
  nextEnd(stalledMs: number): number {
    return Math.min(this.#nextEnd - stalledMs, this.#claims.until)
  }

  /** The locks of a connection as viewers see them, in the order of their fences. */
  of(connectionId: string): ConnectionLock[] {
    const locks = this.#kept.get(connectionId)?.locks ?? []
    return locks.map(({ location, fence }) => ({ location: location.value, fence }))
  }

  lock(action: LockAction, locker: Locker | undefined, moment: Moment): LockLocationOutput {
    if (!locker || locker.leaving) return { outcome: 'absent' }
    const { location, lockSeq } = action
    const kept = this.#keptOf(locker.connectionId)
    const held = kept.locks.find((lock) => isOf(lock, location))
    if (lockSeq < kept.lockSeq || (lockSeq === kept.lockSeq && !held)) return { outcome: 'stale' }
    kept.lockSeq = lockSeq
    if (held) return { outcome: 'locked', fence: held.fence }
    if (this.#claims.isOpen(moment.now)) return this.#claim(action, locker, moment)
    return this.#take(location, locker, moment, action.takeOver === true)
  }

  unlock({ location, lockSeq, fence }: UnlockAction, locker: Locker | undefined, moment: Moment): UnlockLocationOutput {
    const kept = locker && this.#keptOf(locker.connectionId)
    if (kept && lockSeq < kept.lockSeq) return { outcome: 'stale' }
    if (kept) kept.lockSeq = lockSeq
    if (locker && this.#claims.remove(locker.connectionId, location, fence)) return { outcome: 'unlocked' }
    if (kept?.locks.some((lock) => isOf(lock, location) && lock.fence === fence)) {
      this.#drop(location.json, moment)
      return { outcome: 'unlocked' }
    }
    const holder = this.#holderOf(location, moment)
    return { outcome: 'gone', ...(holder && { holder: namesOf(holder) }) }
  }

  /** Ends the lock of a place, regardless of its holder. Returns whether somebody held the place. */
  release(location: StoredValue, moment: Moment): boolean {
    this.#claims.drop(location)
    const isHeld = this.#holderOf(location, moment) !== undefined
    if (isHeld) this.#drop(location.json, moment)
    return isHeld
  }

  /**
   * Returns whether a member holds the lock of a place with a given fence; `null` while claims are collected, because
   * the holder is unknown then.
   */
  check({ location, memberId, fence }: CheckLockAction, moment: Moment): boolean | null {
    if (this.#claims.isOpen(moment.now)) return null
    const holder = this.#holderOf(location, moment)
    if (!holder || holder.memberId !== memberId) return false
    return this.#kept.get(holder.connectionId)!.locks.some((lock) => isOf(lock, location) && lock.fence === fence)
  }

  /** Renews the locks of a connection that posted: they last for another `lockMs`. */
  renew(connectionId: string, now: number, stalledMs: number): void {
    const kept = this.#kept.get(connectionId)
    if (kept && kept.locks.length > 0) this.#setEnd(kept, now + stalledMs + this.#rules.lockMs)
  }

  /** Ends the locks of a connection that did not post in time. */
  lapse(connectionId: string, moment: Moment): void {
    const kept = this.#kept.get(connectionId)
    if (!kept || kept.locks.length === 0 || timeOf(moment) < kept.end) return
    for (const { location } of kept.locks) this.#holders.delete(location.json)
    kept.locks = []
    this.#room.changed(connectionId, moment)
  }

  /**
   * Ends the locks and the claims of a connection that is gone. Viewers are not told about the locks, because they are
   * told that the connection left. Its `lockSeq` is kept: when the connection returns, an earlier lock call may still
   * be in flight.
   */
  end(connectionId: string): void {
    const kept = this.#kept.get(connectionId)
    for (const { location } of kept?.locks ?? []) this.#holders.delete(location.json)
    if (kept) kept.locks = []
    this.#claims.forget(connectionId)
  }

  /** Forgets the `lockSeq` of a connection whose tombstone was purged: none of its lock calls is in flight any more. */
  forget(connectionId: string): void {
    this.#kept.delete(connectionId)
  }

  /** Ends all expired locks. */
  sweep(moment: Moment): void {
    if (timeOf(moment) < this.#nextEnd) return
    this.#nextEnd = Infinity
    for (const [connectionId, kept] of this.#kept) {
      this.lapse(connectionId, moment)
      if (kept.locks.length > 0) this.#nextEnd = Math.min(this.#nextEnd, kept.end)
    }
  }

  /** Grants the claims, once, when the time for collecting them is over. */
  settle(moment: Moment): void {
    for (const { connectionId, location, fence } of this.#claims.settle(moment.now)) {
      // The order matters. Like the Redis script, this looks at a connection only when the place is free, because
      // looking at it may end its lease.
      if (this.#holders.has(location.json)) continue
      const locker = this.#room.live(connectionId, moment)
      if (!locker || locker.leaving) continue
      this.#take(location, locker, moment, false, fence)
    }
  }

  #claim({ location, claim }: LockAction, { connectionId }: Locker, { now, version }: Moment): LockLocationOutput {
    const isClaim = claim !== undefined && claim <= version + mostAheadMicros
    if (isClaim) {
      const isNew = !this.#claims.has(connectionId, location)
      if (isNew && this.#claims.countOf(connectionId) >= this.#rules.connectionLocks) return { outcome: 'full' }
      this.#claims.add({ connectionId, location, fence: claim })
    }
    return { outcome: 'taken', holder: null, retryAfterMs: Math.ceil(this.#claims.until - now) }
  }

  /** @param claim the former fence of the connection, when a claim is granted. */
  #take(location: StoredValue, locker: Locker, moment: Moment, takeOver: boolean, claim = 0): LockLocationOutput {
    const kept = this.#keptOf(locker.connectionId)
    const time = timeOf(moment)
    const end = kept.locks.length > 0 ? kept.end : lastPostOf(locker, time) + this.#rules.lockMs
    if (end <= time) return { outcome: 'absent' }
    const holder = this.#holderOf(location, moment)
    if (holder && !(holder.memberId === locker.memberId && (holder.leaving || takeOver)))
      return { outcome: 'taken', holder: namesOf(holder) }
    const isFull = !holder && this.#holders.size >= this.#rules.roomLocks
    if (isFull || kept.locks.length >= this.#rules.connectionLocks) return { outcome: 'full' }
    if (holder) this.#drop(location.json, moment)
    // One commit may grant two places, or the same place twice. Each grant gets a fence of its own even then.
    const fence = Math.max(moment.version, this.#lastFence + 1, claim + 1)
    this.#lastFence = fence
    kept.locks.push({ location, fence })
    this.#setEnd(kept, end)
    this.#holders.set(location.json, locker.connectionId)
    this.#room.changed(locker.connectionId, moment)
    return { outcome: 'locked', fence }
  }

  #holderOf(location: StoredValue, moment: Moment): Locker | undefined {
    const connectionId = this.#holders.get(location.json)
    const holder = connectionId === undefined ? undefined : this.#room.live(connectionId, moment)
    return holder && this.#holders.has(location.json) ? holder : undefined
  }

  /** Ends the lock of a place that somebody holds. */
  #drop(json: string, moment: Moment): void {
    const connectionId = this.#holders.get(json)!
    const kept = this.#kept.get(connectionId)!
    kept.locks = kept.locks.filter((lock) => lock.location.json !== json)
    this.#holders.delete(json)
    this.#room.changed(connectionId, moment)
  }

  #keptOf(connectionId: string): Kept {
    let kept = this.#kept.get(connectionId)
    if (!kept) this.#kept.set(connectionId, (kept = { lockSeq: -1, locks: [], end: Infinity }))
    return kept
  }

  #setEnd(kept: Kept, end: number): void {
    kept.end = end
    this.#nextEnd = Math.min(this.#nextEnd, end)
  }
}

const isOf = (lock: Lock, { json }: StoredValue) => lock.location.json === json
const namesOf = ({ memberId, connectionId }: Locker): LockHolder => ({ memberId, connectionId })

/** Returns the time of locks, which goes on while the lease clock stands still. */
const timeOf = ({ now, stalledMs }: Moment) => now + stalledMs

/**
 * Returns the time of a connection's last accepted post. When the lease was shortened, it returns an earlier time,
 * because the client may be gone.
 */
const lastPostOf = ({ leaseEnd, leaseMs, stalledMs }: Locker, time: number) =>
  Math.min(time, leaseEnd - leaseMs + stalledMs)
