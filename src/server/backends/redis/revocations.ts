import type { RedisHealth } from './redis-health.js'
import type { RedisPort } from './client-port.js'
import { revokeScript } from './script.js'

/** Ends a member's connections in a room, or, without one, everywhere. */
export type Revocation = { memberId: string; room: string | undefined }

/**
 * Revocations of all processes. Each is written to a stream before it is announced, and every process reads that stream
 * at each pulse: an announcement may be lost, a revocation may not.
 */
export class Revocations {
  readonly #port: RedisPort
  readonly #key: string
  /** The last entry that was carried out; `null` before the first look: what was before us is nothing to us. */
  #cursor: string | null = null

  constructor(port: RedisPort, key: string) {
    this.#port = port
    this.#key = key
  }

  async add({ memberId, room }: Revocation, link: RedisHealth): Promise<void> {
    await link.run(revokeScript, [this.#key], [memberId, room ?? ''])
  }

  /** Announced: there is something to read. */
  listen(onAnnounced: () => void): Promise<() => Promise<void>> {
    return this.#port.subscribe(this.#key, onAnnounced)
  }

  /** Carries out what was written since the last time. */
  async read(carryOut: (revocation: Revocation) => void): Promise<void> {
    if (this.#cursor === null) {
      const newest = (await this.#port.send(this.#key, ['XREVRANGE', this.#key, '+', '-', 'COUNT', '1'])) as Entry[]
      this.#cursor = newest[0]?.[0] ?? '0-0'
      return
    }
    const entries = (await this.#port.send(this.#key, ['XRANGE', this.#key, `(${this.#cursor}`, '+'])) as Entry[]
    for (const [id, [, memberId, , room]] of entries) {
      carryOut({ memberId: memberId!, room: room === '' ? undefined : room })
      this.#cursor = id
    }
  }
}

type Entry = [id: string, fields: string[]]
