/** What anyone may use of this process. */
export type Limits = {
  /** The body of a request to the server that we make, in bytes. Default 8,192. */
  bodyBytes: number
  /** A location, as canonical JSON in UTF-8. Default 2,048. */
  locationBytes: number
  /** A profile, likewise. Default 1,024. */
  profileBytes: number
  /** How deeply a location or a profile may be nested. Default 8. */
  depth: number
  /** Calls in one HTTP batch, on the server that we make. Default 8. */
  batch: number
  /** Posts of one member: so many each second, and so many at once. Default 30 and 60. */
  postsPerSecond: number
  postBurst: number
  /** Connections in one room. Default 1,000. */
  roomConnections: number
  /** Connections of one member in one room. Default 10. Nobody can be counted who has no name: an anonymous member is not. */
  memberConnections: number
  /** Open streams in this process. Default 20,000. */
  streams: number
}

export const defaultLimits: Limits = {
  bodyBytes: 8 * 1024,
  locationBytes: 2 * 1024,
  profileBytes: 1024,
  depth: 8,
  batch: 8,
  postsPerSecond: 30,
  postBurst: 60,
  roomConnections: 1_000,
  memberConnections: 10,
  streams: 20_000,
}

type Bucket = { tokens: number; at: number }

/** A token bucket for each key: `perSecond` tokens come back each second, up to `burst`. */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #perSecond: number
  readonly #burst: number
  #swept = 0

  constructor(limits: { perSecond: number; burst: number }) {
    this.#perSecond = limits.perSecond
    this.#burst = limits.burst
  }

  /** Takes a token; answers 0, or how many milliseconds to wait for one. */
  take(key: string, now: number): number {
    this.#forgetFull(now)
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now }
    bucket.tokens = this.#tokens(bucket, now)
    bucket.at = now
    this.#buckets.set(key, bucket)
    const missing = 1 - bucket.tokens
    // Whoever waited just as long as told gets through, whatever rounding did on the way.
    if (missing > 1e-9) return Math.ceil((missing / this.#perSecond) * 1_000)
    bucket.tokens = Math.max(0, bucket.tokens - 1)
    return 0
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
