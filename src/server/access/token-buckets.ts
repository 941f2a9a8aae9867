type Bucket = { tokens: number; at: number }

/**
 * The rate of a token bucket: the tokens that are added each second, above 0, and the most that it holds, 1 or more. `Infinity`
 * for either: nothing is limited.
 */
export type Rate = { perSecond: number; burst: number }

/** The most buckets in memory. One more key evicts the bucket that was not used for the longest time. */
const maxBuckets = 50_000
/** The longest wait that a caller is told, in milliseconds: the longest timer. */
const longestWaitMs = 2 ** 31 - 1

/** One token bucket for each key: `perSecond` tokens are added each second, up to `burst`. */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #perSecond: number
  readonly #burst: number
  #purgedAt = 0

  constructor({ perSecond, burst }: Rate) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /**
   * Takes tokens, at most a full bucket. Returns 0 on success, otherwise the milliseconds until the bucket has enough
   * tokens.
   */
  take(key: string, now: number, tokens = 1): number {
    if (this.#perSecond === Infinity || this.#burst === Infinity) return 0
    this.#purgeFull(now)
    const cost = Math.min(tokens, this.#burst)
    const known = this.#buckets.get(key)
    const available = known ? this.#tokens(known, now) : this.#burst
    const missing = cost - available
    // The tolerance absorbs rounding: a caller who waited exactly as long as they were told must get through.
    const waitMs = missing > 1e-9 ? Math.min(longestWaitMs, Math.ceil((missing / this.#perSecond) * 1_000)) : 0
    // The bucket is deleted first, so that the map stays in the order of use.
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: waitMs === 0 ? Math.max(0, available - cost) : available, at: now })
    if (this.#buckets.size > maxBuckets) this.#buckets.delete(this.#buckets.keys().next().value!)
    return waitMs
  }

  get size(): number {
    return this.#buckets.size
  }

  #tokens({ tokens, at }: Bucket, now: number): number {
    return Math.min(this.#burst, tokens + ((now - at) / 1_000) * this.#perSecond)
  }

  /**
   * Removes full buckets, which are equivalent to missing ones. Runs at most once in the time that filling a bucket
   * takes.
   */
  #purgeFull(now: number): void {
    if (now - this.#purgedAt < (this.#burst / this.#perSecond) * 1_000) return
    this.#purgedAt = now
    for (const [key, bucket] of this.#buckets) if (this.#tokens(bucket, now) >= this.#burst) this.#buckets.delete(key)
  }
}
