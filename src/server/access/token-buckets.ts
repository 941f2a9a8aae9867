type Bucket = { tokens: number; at: number }

/** So many come back each second, and so many may be had at once. */
export type Rate = { perSecond: number; burst: number }

/** As many as a process remembers of one kind; whoever comes on top of them pushes out the one not seen for longest. */
const maxBuckets = 50_000

/** A token bucket for each key: `perSecond` tokens come back each second, up to `burst`. */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #perSecond: number
  readonly #burst: number
  #swept = 0

  constructor({ perSecond, burst }: Rate) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Takes tokens, never more than a full bucket's; answers 0, or how many milliseconds to wait for them. */
  take(key: string, now: number, tokens = 1): number {
    this.#forgetFull(now)
    const cost = Math.min(tokens, this.#burst)
    const known = this.#buckets.get(key)
    const has = known ? this.#tokens(known, now) : this.#burst
    const missing = cost - has
    // Whoever waited just as long as told gets through, whatever rounding did on the way.
    const waitMs = missing > 1e-9 ? Math.ceil((missing / this.#perSecond) * 1_000) : 0
    // Deleted first, so that the map stays in the order of use.
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: waitMs === 0 ? Math.max(0, has - cost) : has, at: now })
    if (this.#buckets.size > maxBuckets) this.#buckets.delete(this.#buckets.keys().next().value!)
    return waitMs
  }

  get size(): number {
    return this.#buckets.size
  }

  #tokens({ tokens, at }: Bucket, now: number): number {
    return Math.min(this.#burst, tokens + ((now - at) / 1_000) * this.#perSecond)
  }

  /** A full bucket says no more than a missing one. Looked for once in the time that filling one takes. */
  #forgetFull(now: number): void {
    if (now - this.#swept < (this.#burst / this.#perSecond) * 1_000) return
    this.#swept = now
    for (const [key, bucket] of this.#buckets) if (this.#tokens(bucket, now) >= this.#burst) this.#buckets.delete(key)
  }
}
