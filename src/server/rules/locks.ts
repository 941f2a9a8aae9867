import type { ConnectionLock, LockHolder, LockLocationOutput, UnlockLocationOutput } from '../../shared/lock-types.js'
import type { CheckLockAction, LockAction, RoomRules, StoredValue, UnlockAction } from './backend.js'
import { LockClaims } from './lock-claims.js'

/** A present connection, as far as locks depend on it. `stalledMs`: as in `Moment`, at its last accepted post. */
export type Locker = LockHolder & { leaving: boolean; leaseMs: number; leaseEnd: number; stalledMs: number }

/** The room that the locks belong to. */
export type LockRoom = {
  /** Returns a present connection. One whose lease or locks have expired loses them first. */
  live(connectionId: string, moment: Moment): Locker | undefined
  /** Tells viewers that the locks of a connection changed. */
  changed(connectionId: string, moment: Moment): void
}

/**
 * The time for leases in milliseconds, and the version that the current batch leads to. `stalledMs`: for how long leases
 * stood still so far. Locks do not stand still: their holders count the time by their own clocks.
 */
export type Moment = { now: number; version: number; stalledMs: number }

type Lock = { location: StoredValue; fence: number }
/** The lock record of one connection. `end`: the time, stalls included, at which its locks end unless it posts. */
type Kept = { lockSeq: number; locks: Lock[]; end: number }

/** A fence is a version. A claim further ahead of the clock was made up. */
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

  /** @param claimsUntil while the time is before this, only who held a place before the state was lost may get it. */
  constructor(rules: RoomRules, room: LockRoom, claimsUntil: number) {
    this.#rules = rules
    this.#room = room
    this.#claims = new LockClaims(claimsUntil)
  }

  /** Returns a time of leases before which no lock ends by itself and no claim is granted. */
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

  /** Takes a place from whoever has it. Returns whether somebody had it. */
  release(location: StoredValue, moment: Moment): boolean {
    this.#claims.drop(location)
    const isHeld = this.#holderOf(location, moment) !== undefined
    if (isHeld) this.#drop(location.json, moment)
    return isHeld
  }

  /** Returns whether a member holds a place with this fence; `null` while claims are collected: nobody knows. */
  check({ location, memberId, fence }: CheckLockAction, moment: Moment): boolean | null {
    if (this.#claims.isOpen(moment.now)) return null
    const holder = this.#holderOf(location, moment)
    if (!holder || holder.memberId !== memberId) return false
    return this.#kept.get(holder.connectionId)!.locks.some((lock) => isOf(lock, location) && lock.fence === fence)
  }

  /** The connection posted: its locks stay for another `lockMs`. */
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
   * The connection is gone, and its locks with it: viewers are told that it left. Its `lockSeq` stays: when the connection
   * returns, a call from before may still be on its way.
   */
  end(connectionId: string): void {
    const kept = this.#kept.get(connectionId)
    for (const { location } of kept?.locks ?? []) this.#holders.delete(location.json)
    if (kept) kept.locks = []
    this.#claims.forget(connectionId)
  }

  /** The tombstone of the connection was purged: no call of it is on its way any more. */
  forget(connectionId: string): void {
    this.#kept.delete(connectionId)
  }

  /** Ends all locks whose time is over. */
  sweep(moment: Moment): void {
    if (timeOf(moment) < this.#nextEnd) return
    this.#nextEnd = Infinity
    for (const [connectionId, kept] of this.#kept) {
      this.lapse(connectionId, moment)
      if (kept.locks.length > 0) this.#nextEnd = Math.min(this.#nextEnd, kept.end)
    }
  }

  /** Grants the claims, once, when they are no longer collected. */
  settle(moment: Moment): void {
    for (const { connectionId, location, fence } of this.#claims.settle(moment.now)) {
      // In this order: the script looks at a connection only when the place is free, and that may end its lease.
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

  /** @param claim the fence that the connection had, when it gets the place back. */
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
    // Two places may be granted in one commit, and one place twice: fences differ all the same.
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

/** The time of locks, which goes on while leases stand still. */
const timeOf = ({ now, stalledMs }: Moment) => now + stalledMs

/** The time of a connection's last accepted post. Earlier than it was when the lease was shortened: the client may be gone. */
const lastPostOf = ({ leaseEnd, leaseMs, stalledMs }: Locker, time: number) =>
  Math.min(time, leaseEnd - leaseMs + stalledMs)
