import type { RedisHealth } from './health/redis-health.js'
import type { RedisPort } from './clients/client-port.js'
import { revokeScript } from './script.js'

/** A revocation, which ends a member's connections in one room or, without `room`, in all rooms. */
export type Revocation = { memberId: string; room: string | undefined }

/**
 * The revocations of all processes. Each is written to a Redis stream before it is announced, and every process reads that
 * stream at each health check: an announcement may be lost, a revocation may not.
 */
export class Revocations {
  readonly #port: RedisPort
  readonly #key: string
  /**
   * The id of the last entry that was applied; `null` before the first read. Entries older than this process are
   * skipped.
   */
  #cursor: string | null = null
  #reading: Promise<void> = Promise.resolve()

  constructor(port: RedisPort, key: string) {
    this.#port = port
    this.#key = key
  }

  async add({ memberId, room }: Revocation, redis: RedisHealth): Promise<void> {
    await redis.run(revokeScript, [this.#key], [memberId, room ?? ''])
  }

  /** Subscribes to announcements of new entries. Resolves with a function that unsubscribes. */
  listen(onAnnounced: () => void): Promise<() => Promise<void>> {
    return this.#port.subscribe(this.#key, onAnnounced)
  }

  /** Applies the entries written since the last read. One read at a time, so that none is applied twice. */
  read(apply: (revocation: Revocation) => void): Promise<void> {
    return (this.#reading = this.#reading.catch(() => {}).then(() => this.#readOn(apply)))
  }

  async #readOn(apply: (revocation: Revocation) => void): Promise<void> {
    if (this.#cursor === null) {
      const newest = (await this.#port.send(this.#key, ['XREVRANGE', this.#key, '+', '-', 'COUNT', '1'])) as Entry[]
      this.#cursor = newest[0]?.[0] ?? '0-0'
      return
    }
    const entries = (await this.#port.send(this.#key, ['XRANGE', this.#key, `(${this.#cursor}`, '+'])) as Entry[]
    for (const [id, [, memberId, , room]] of entries) {
      apply({ memberId: memberId!, room: room === '' ? undefined : room })
      this.#cursor = id
    }
  }
}

type Entry = [id: string, fields: string[]]
