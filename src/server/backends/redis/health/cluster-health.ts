import { RedisHealth, type RedisHealthOptions } from './redis-health.js'

export type ClusterHealthOptions = RedisHealthOptions & {
  /** Checks one partition of a cluster; `null` for a single Redis, which `pulse` checks. */
  pulseOfPart: ((part: number) => Promise<unknown>) | null
  /** Called with each Redis that is reachable again. */
  onBack: (redis: RedisHealth) => void
}

/**
 * The health of all of Redis. A cluster, whose masters can fail independently, has one `RedisHealth` more for each partition
 * in use.
 */
export class ClusterHealth {
  /** The Redis that holds revocations and, outside a cluster, everything else. */
  readonly main: RedisHealth
  readonly #options: ClusterHealthOptions
  readonly #parts = new Map<number, RedisHealth>()
  readonly #listeners = new Set<(health: 'up' | 'down') => void>()
  #health: 'up' | 'down' = 'up'
  readonly #createdAt: number

  constructor(options: ClusterHealthOptions) {
    this.#options = options
    this.#createdAt = options.clock.now()
    this.main = this.#watched(new RedisHealth(options))
  }

  /** Returns the health of a partition. In a cluster it is created on first use and kept. */
  to(part: number): RedisHealth {
    const { pulseOfPart } = this.#options
    if (!pulseOfPart) return this.main
    const known = this.#parts.get(part)
    if (known) return known
    // Nothing is known of this partition yet: it is assumed to be, and to have been, as healthy as the others.
    const pulse = async () => void (await pulseOfPart(part))
    const redis = this.#watched(new RedisHealth({ ...this.#options, pulse }, this.#health, this.#createdAt))
    this.#parts.set(part, redis)
    return redis
  }

  /** Calls `listener` when all of Redis became unreachable, and when any of it is reachable again. */
  onHealth(listener: (health: 'up' | 'down') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#listeners.clear()
    for (const redis of [this.main, ...this.#parts.values()]) redis.close()
  }

  #watched(redis: RedisHealth): RedisHealth {
    redis.onHealth((health) => {
      this.#update()
      if (health === 'up') this.#options.onBack(redis)
    })
    return redis
  }

  #update(): void {
    const isUp = [this.main, ...this.#parts.values()].some(({ health }) => health === 'up')
    const health = isUp ? 'up' : 'down'
    if (health === this.#health) return
    this.#health = health
    for (const listener of this.#listeners) listener(health)
  }
}
