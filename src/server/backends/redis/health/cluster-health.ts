import type { BackendHealth } from '../../../rules/backend.js'
import type { FaultKind, RedisFault } from './redis-fault.js'
import { RedisHealth, type RedisHealthOptions } from './redis-health.js'

export type ClusterHealthOptions = RedisHealthOptions & {
  /** Checks one partition of a cluster; `null` for a single Redis, which `pulse` checks. */
  pulseOfPart: ((part: number) => Promise<unknown>) | null
  /** Called with each Redis, or partition of a cluster, that can be used again after a fault. */
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
  readonly #listeners = new Set<(health: BackendHealth, error?: Error) => void>()
  #health: BackendHealth = 'up'
  /** The kinds of fault that were reported since the health was last `up`. */
  readonly #reported = new Set<FaultKind>()
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
    // Nothing is known of this partition yet. Its health, now and in the past, is assumed to be that of the others.
    const pulse = async () => void (await pulseOfPart(part))
    const fault = this.#health === 'down' ? this.main.fault : null
    const redis = this.#watched(new RedisHealth({ ...this.#options, pulse }, fault, this.#createdAt))
    this.#parts.set(part, redis)
    return redis
  }

  /**
   * Calls `listener` with each change. `down`: no partition can be used, or announcements do not arrive at this
   * process, while they may arrive at others. `partial`: some partitions cannot be used. Called again for each further
   * kind of fault.
   */
  onHealth(listener: (health: BackendHealth, error?: Error) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#listeners.clear()
    for (const redis of this.#all) redis.close()
  }

  #watched(redis: RedisHealth): RedisHealth {
    redis.onHealth((fault) => {
      this.#update(fault)
      if (!fault) this.#options.onBack(redis)
    })
    return redis
  }

  #update(fault: RedisFault | null): void {
    const health = this.#current()
    const isChange = health !== this.#health
    const isNews = fault !== null && !this.#reported.has(fault.kind)
    this.#health = health
    if (health === 'up') this.#reported.clear()
    else if (fault) this.#reported.add(fault.kind)
    if (!isChange && !isNews) return
    const error = health === 'up' ? undefined : (fault ?? this.#anyFault())
    for (const listener of this.#listeners) listener(health, error)
  }

  #current(): BackendHealth {
    const faults = this.#all.flatMap(({ fault }) => fault ?? [])
    if (faults.length === 0) return 'up'
    return faults.length === this.#all.length || faults.some(({ kind }) => kind === 'deaf') ? 'down' : 'partial'
  }

  #anyFault(): Error | undefined {
    return this.#all.find(({ fault }) => fault)?.fault ?? undefined
  }

  get #all(): RedisHealth[] {
    return [this.main, ...this.#parts.values()]
  }
}
