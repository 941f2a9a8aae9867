import type { Clock } from '../../../../shared/clock.js'
import type { RedisPort } from '../clients/client-port.js'

export type SubscriberRepairOptions = {
  port: RedisPort
  clock: Clock
  /**
   * The shortest time between two replacements. It doubles while replacing does not help, up to thirty times the
   * initial value.
   */
  waitMs: number
}

/** Replaces the subscribing connection of a port when health checks find it deaf: it receives no messages. */
export class SubscriberRepair {
  readonly #options: SubscriberRepairOptions
  /** The health checks whose last result was that the subscribing connection is deaf. */
  readonly #deaf = new Set<unknown>()
  #waitMs: number
  #replacedAt = -Infinity
  #isClosed = false

  constructor(options: SubscriberRepairOptions) {
    this.#options = options
    this.#waitMs = options.waitMs
  }

  /** Takes the result of one health check, which began at `beganAt`. */
  learn(check: unknown, { isDeaf, beganAt }: { isDeaf: boolean; beganAt: number }): void {
    if (!isDeaf) {
      this.#deaf.delete(check)
      if (this.#deaf.size === 0) this.#waitMs = this.#options.waitMs
      return
    }
    this.#deaf.add(check)
    // A health check that began before the last replacement says nothing about the new subscribing connection.
    if (beganAt > this.#replacedAt && this.#options.clock.now() >= this.#replacedAt + this.#waitMs) this.#replace()
  }

  close(): void {
    this.#isClosed = true
  }

  #replace(): void {
    const { port, clock, waitMs } = this.#options
    if (this.#isClosed) return
    const replacedAt = clock.now()
    this.#waitMs = this.#replacedAt === -Infinity ? this.#waitMs : Math.min(2 * this.#waitMs, 30 * waitMs)
    this.#replacedAt = replacedAt
    // A health check covers only one channel. When another channel could not be subscribed to, only this rejection
    // reveals it.
    port.reconnect?.().catch(() => {
      clock.after(this.#waitMs, () => {
        if (this.#replacedAt === replacedAt) this.#replace()
      })
    })
  }
}
