import type { Action, Outcome, RoomState } from 'hereabouts/server'
import type { StoreWatch } from './sim-redis.js'
import { simRules } from './sim-redis.js'

/** One grant of a place. `until` is the time of the wall clock at which it ended, and `Infinity` while it lasts. */
type Grant = {
  place: string
  connectionId: string
  memberId: string
  fence: number
  until: number
  /** True if the grant ended because its holder did not post in time. */
  isByTime?: boolean
}

/** The longest time in which a client notices, by its own clock, that its lock has ended. */
const timerMs = 60
/** The longest time for which a disconnected holder may believe in a lock that ended: lockMs and a tolerance. */
const beliefMs = simRules.lockMs + 5_000

type LockStep = { action: Action; outcome: Outcome }

/**
 * Checks the laws of locks in the store, which is authoritative: each place has one holder, fences rise, and no lock
 * begins or ends without a cause. Also simulates the table in which people save rows, guarded by `fence <= :fence`.
 */
export class LockWatch implements StoreWatch {
  readonly wrongs: string[] = []
  /** The grants of each place, from the oldest to the newest. */
  readonly #grants = new Map<string, Grant[]>()
  /** The time of each connection's last accepted post, and whether a leave with a grace period followed it. */
  readonly #lastPosts = new Map<string, { at: number; isLeaving: boolean }>()
  readonly #lockSeqs = new Map<string, number>()
  /** The claims since the last loss of state, by place: the claimed fence of each connection. */
  #claims = new Map<string, Map<string, number>>()
  #claimsUntil = -Infinity
  #members = new Map<string, string>()
  readonly #rows = new Map<string, Grant>()
  /** Counts what happened, because a run without grants or saves proves nothing. */
  readonly counts = { grants: 0, saves: 0, refusedSaves: 0, claims: 0, takeOvers: 0 }

  lost(claimsUntil: number): void {
    this.#claimsUntil = claimsUntil
    this.#claims = new Map()
    // The store no longer knows which calls it has seen, so a late call may lock a place. The client then releases it.
    this.#lockSeqs.clear()
    for (const grants of this.#grants.values()) {
      const last = grants.at(-1)
      // The time of the loss is not known here: `acted` sets it at the next step of the store.
      if (last?.until === Infinity) last.until = NaN
    }
  }

  acted(actions: readonly Action[], outcomes: readonly Outcome[], state: RoomState, now: number): void {
    for (const grants of this.#grants.values()) if (Number.isNaN(grants.at(-1)!.until)) grants.at(-1)!.until = now
    for (const { connectionId, memberId } of state.connections) this.#members.set(connectionId, memberId)
    const steps = actions.map((action, i) => ({ action, outcome: outcomes[i]! }))
    for (const step of steps) this.#note(step, now)
    this.#compare(steps, state, now)
    const present = new Set(state.connections.map(({ connectionId }) => connectionId))
    for (const known of [this.#lastPosts, this.#lockSeqs])
      for (const connectionId of known.keys()) if (!present.has(connectionId)) known.delete(connectionId)
  }

  /** Saves a row, as an app does: `UPDATE ... WHERE fence <= :fence`. Reports a save after one of a later grant. */
  save(location: unknown, fence: number): void {
    const place = JSON.stringify(location)
    const grants = this.#grants.get(place) ?? []
    const grant = grants.find((each) => each.fence === fence)
    const row = this.#rows.get(place)
    if (!grant) this.#say(`saved ${place} with ${fence}, which nobody was granted`)
    else if (row && row.fence > fence) this.counts.refusedSaves += 1
    else {
      if (row && grants.indexOf(grant) < grants.indexOf(row)) this.#say(`saved ${place} with the old fence ${fence}`)
      this.#rows.set(place, grant)
      this.counts.saves += 1
    }
  }

  /** Checks that `isLocked`, called at `since`, answered true only if the lock was held at some time from then on. */
  checked(location: unknown, memberId: string, fence: number, since: number): void {
    const grants = this.#grants.get(JSON.stringify(location)) ?? []
    const wasHeld = grants.some((grant) => grant.memberId === memberId && grant.fence === fence && grant.until >= since)
    if (!wasHeld) this.#say(`${memberId} was told to hold ${JSON.stringify(location)} with ${fence}`)
  }

  /**
   * Returns whether a holder may still believe in a lock: the lock is held, or it ended recently. If it ended by time,
   * the holder must notice within `timerMs` by its own clock; otherwise within `beliefMs`.
   */
  isCredible(location: unknown, fence: number, now: number): boolean {
    const grant = this.#grants.get(JSON.stringify(location))?.find((each) => each.fence === fence)
    if (!grant) return false
    return !(now - grant.until > (grant.isByTime ? timerMs : beliefMs))
  }

  #note({ action, outcome }: LockStep, now: number): void {
    if (action.type === 'post' && outcome.type === 'posted' && /^(applied|same)$/.test(outcome.outcome)) {
      const known = this.#lastPosts.get(action.connectionId)
      // A repeated post (`same`) does not undo the leave of a connection.
      if (!known?.isLeaving || outcome.outcome === 'applied')
        this.#lastPosts.set(action.connectionId, { at: now, isLeaving: false })
    }
    if (action.type === 'leave' && outcome.type === 'leaving') {
      const known = this.#lastPosts.get(action.connectionId)
      if (known) known.isLeaving = true
    }
    if (action.type === 'lock' && outcome.type === 'lock') this.#noteLock({ action, outcome }, now)
    if (action.type === 'unlock') this.#noteSeq(action.connectionId, action.lockSeq)
  }

  #noteLock({ action, outcome }: LockStep, now: number): void {
    if (action.type !== 'lock' || outcome.type !== 'lock') return
    const { connectionId, lockSeq, claim } = action
    const place = action.location.json
    const isLate = lockSeq < (this.#lockSeqs.get(connectionId) ?? -1)
    this.#noteSeq(connectionId, lockSeq)
    if (claim !== undefined && now < this.#claimsUntil) {
      this.counts.claims += 1
      const claims = this.#claims.get(place) ?? new Map<string, number>()
      this.#claims.set(place, claims.set(connectionId, claim))
    }
    if (outcome.reply.outcome !== 'locked') return
    const { fence } = outcome.reply
    const isNew = !this.#grants.get(place)?.some((each) => each.fence === fence && each.connectionId === connectionId)
    if (isNew && isLate) this.#say(`granted ${place} to a call that was overtaken`)
    if (isNew) this.#grant(place, connectionId, fence, now)
  }

  #noteSeq(connectionId: string, lockSeq: number): void {
    this.#lockSeqs.set(connectionId, Math.max(lockSeq, this.#lockSeqs.get(connectionId) ?? -1))
  }

  #grant(place: string, connectionId: string, fence: number, now: number): void {
    const grants = this.#grants.get(place) ?? []
    this.#grants.set(place, grants)
    const last = grants.at(-1)
    if (last && fence <= last.fence) this.#say(`granted ${place} with ${fence}, after ${last.fence}`)
    if (now < this.#claimsUntil) this.#say(`granted ${place} while claims are collected`)
    grants.push({ place, connectionId, memberId: this.#members.get(connectionId) ?? '', fence, until: Infinity })
    this.counts.grants += 1
  }

  /** Compares the locks in the state of the store with the grants that have not ended. */
  #compare(steps: LockStep[], { connections }: RoomState, now: number): void {
    const held = new Map<string, { connectionId: string; fence: number }>()
    for (const { connectionId, locks = [] } of connections)
      for (const { location, fence } of locks) {
        const place = JSON.stringify(location)
        if (held.has(place)) this.#say(`${place} has two holders`)
        held.set(place, { connectionId, fence })
        this.#isInTime(steps, connectionId, now)
      }
    for (const [place, { connectionId, fence }] of held) {
      const known = this.#grants.get(place)?.some((each) => each.fence === fence && each.connectionId === connectionId)
      if (known) continue
      this.#isHighest(place, connectionId, connections)
      this.#grant(place, connectionId, fence, now)
    }
    for (const [place, grants] of this.#grants)
      for (const [i, grant] of grants.entries()) {
        const now_ = held.get(place)
        if (grant.until !== Infinity || (now_ && now_.fence === grant.fence)) continue
        grant.until = now
        const last = this.#lastPosts.get(grant.connectionId)
        grant.isByTime = last !== undefined && now - last.at >= simRules.lockMs
        if (i < grants.length - 1 || !this.#hasCause(grant, steps, connections, now))
          this.#hasSuccessor(grant, grants[i + 1], steps, connections, now)
      }
  }

  /** Checks that a granted claim was the highest among those of present connections that are not leaving. */
  #isHighest(place: string, connectionId: string, connections: RoomState['connections']): void {
    const claims = this.#claims.get(place)
    const own = claims?.get(connectionId)
    if (!claims || own === undefined) return this.#say(`${connectionId} got ${place} without a call`)
    for (const [other, fence] of claims) {
      const isPresent = connections.some((known) => known.connectionId === other)
      if (fence > own && isPresent && this.#lastPosts.get(other)?.isLeaving === false)
        this.#say(`${place} went to the claim ${own}, not to ${fence}`)
    }
    claims.clear()
  }

  /** Checks, after a sweep, that a connection with a lock has posted within lockMs. */
  #isInTime(steps: LockStep[], connectionId: string, now: number): void {
    if (!steps.some(({ action }) => action.type === 'sweep')) return
    const last = this.#lastPosts.get(connectionId)
    if (last && now - last.at > simRules.lockMs) this.#say(`${connectionId} kept a lock without posting`)
  }

  /** Returns true if a lock ended by time, with its connection, or by an unlock or a release. */
  #hasCause(grant: Grant, steps: LockStep[], connections: RoomState['connections'], now: number): boolean {
    const { place, connectionId, fence } = grant
    if (!connections.some((known) => known.connectionId === connectionId)) return true
    const last = this.#lastPosts.get(connectionId)
    if (!last || now - last.at >= simRules.lockMs - 1) return true
    const hasEnded = steps.some(
      ({ action }) =>
        (action.type === 'release' && action.location.json === place) ||
        (action.type === 'unlock' && action.connectionId === connectionId && action.fence === fence),
    )
    if (hasEnded) return true
    const grants = this.#grants.get(place)!
    if (grants.at(-1) === grant) this.#say(`${connectionId} lost ${place} without a cause`)
    return false
  }

  /** Checks a lock that another grant replaced: it had ended before, or a window of the same member took it over. */
  #hasSuccessor(
    grant: Grant,
    next: Grant | undefined,
    steps: LockStep[],
    connections: RoomState['connections'],
    now: number,
  ): void {
    if (!next || next.connectionId === grant.connectionId) return
    if (this.#hasCause(grant, steps, connections, now)) return
    const takesOver = steps.some(
      ({ action }) => action.type === 'lock' && action.connectionId === next.connectionId && action.takeOver === true,
    )
    const isLeft = this.#lastPosts.get(grant.connectionId)?.isLeaving === true
    if (next.memberId === grant.memberId && (takesOver || isLeft)) this.counts.takeOvers += 1
    else this.#say(`${next.connectionId} got ${grant.place} from ${grant.connectionId}, who held it`)
  }

  #say(wrong: string): void {
    this.wrongs.push(wrong)
  }
}
