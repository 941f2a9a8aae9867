import type { StoredValue } from './backend.js'

/** A connection's request to get back a place that it held before the room lost its state. */
export type Claim = { connectionId: string; location: StoredValue; fence: number }

/**
 * The claims of a room that lost its state. Claims are collected for a while. Then the claim with the highest fence
 * wins each place, because an older holder may reconnect before the newest one. No I/O, no clock.
 */
export class LockClaims {
  /** Ordered by insertion, because the earlier of two claims with equal fences wins. */
  readonly #claims = new Map<string, Claim>()
  #until: number

  /** @param until the time until which claims are collected. */
  constructor(until: number) {
    this.#until = until
  }

  /** The time until which claims are collected; `Infinity` once they are settled. */
  get until(): number {
    return this.#until > -Infinity ? this.#until : Infinity
  }

  isOpen(now: number): boolean {
    return now < this.#until
  }

  countOf(connectionId: string): number {
    return Array.from(this.#claims.values()).filter((claim) => claim.connectionId === connectionId).length
  }

  has(connectionId: string, location: StoredValue): boolean {
    return this.#claims.has(keyOf(connectionId, location))
  }

  add(claim: Claim): void {
    const key = keyOf(claim.connectionId, claim.location)
    this.#claims.delete(key)
    this.#claims.set(key, claim)
  }

  /** Withdraws a claim. Returns whether the connection had a claim to the place with this fence. */
  remove(connectionId: string, location: StoredValue, fence: number): boolean {
    const key = keyOf(connectionId, location)
    return this.#claims.get(key)?.fence === fence && this.#claims.delete(key)
  }

  /** Forgets the claims of a connection that is gone. */
  forget(connectionId: string): void {
    for (const [key, claim] of this.#claims) if (claim.connectionId === connectionId) this.#claims.delete(key)
  }

  /** Forgets the claims to a place. */
  drop(location: StoredValue): void {
    for (const [key, claim] of this.#claims) if (claim.location.json === location.json) this.#claims.delete(key)
  }

  /**
   * Ends the collection of claims when its time is over. Returns the claims, the highest fence first; none before that
   * time and in later calls.
   */
  settle(now: number): Claim[] {
    if (this.#until === -Infinity || now < this.#until) return []
    this.#until = -Infinity
    const claims = [...this.#claims.values()].sort((a, b) => b.fence - a.fence)
    this.#claims.clear()
    return claims
  }
}

const keyOf = (connectionId: string, { json }: StoredValue) => `${connectionId}\n${json}`
