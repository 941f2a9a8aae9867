import { RedisHealth, type RedisHealthOptions } from './redis-health.js'

export type ClusterHealthOptions = RedisHealthOptions & {
  /** What asks whether one part of a cluster is there; `null` where there is but one Redis, which `pulse` asks. */
  pulseOfPart: ((part: number) => Promise<unknown>) | null
  /** Called with each line that is back. */
  onBack: (link: RedisHealth) => void
}

/**
 * The lines to Redis: one or, in a cluster, where a master may be away by itself, one more for each part of the rooms that
 * is in use.
 */
export class ClusterHealth {
  /** To where revocations are and, where there is but one Redis, everything. */
  readonly main: RedisHealth
  readonly #options: ClusterHealthOptions
  readonly #parts = new Map<number, RedisHealth>()
  readonly #listeners = new Set<(health: 'up' | 'down') => void>()
  #health: 'up' | 'down' = 'up'
  readonly #bornAt: number

  constructor(options: ClusterHealthOptions) {
    this.#options = options
    this.#bornAt = options.clock.now()
    this.main = this.#watched(new RedisHealth(options))
  }

  /** The line to a part. In a cluster it is made when first asked for, and stays. */
  to(part: number): RedisHealth {
    const { pulseOfPart } = this.#options
    if (!pulseOfPart) return this.main
    const known = this.#parts.get(part)
    if (known) return known
    // Nothing was heard of this part so far. It is taken to be as the others are, and to have been.
    const pulse = async () => void (await pulseOfPart(part))
    const link = this.#watched(new RedisHealth({ ...this.#options, pulse }, this.#health, this.#bornAt))
    this.#parts.set(part, link)
    return link
  }

  /** Hears when all of Redis went out of reach, and when some of it is back. */
  onHealth(listener: (health: 'up' | 'down') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#listeners.clear()
    for (const link of [this.main, ...this.#parts.values()]) link.close()
  }

  #watched(link: RedisHealth): RedisHealth {
    link.onHealth((health) => {
      this.#look()
      if (health === 'up') this.#options.onBack(link)
    })
    return link
  }

  #look(): void {
    const isUp = [this.main, ...this.#parts.values()].some(({ health }) => health === 'up')
    const health = isUp ? 'up' : 'down'
    if (health === this.#health) return
    this.#health = health
    for (const listener of this.#listeners) listener(health)
  }
}
