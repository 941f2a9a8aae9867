import type { Clock } from '../../../../shared/clock.js'
import { afterReading } from './after-reading.js'
import { run, type RedisPort } from '../clients/client-port.js'
import type { Script } from '../script.js'
import { faultOf, isErrorReply, type RedisFault } from './redis-fault.js'

export type RedisHealthOptions = {
  port: RedisPort
  clock: Clock
  /** The longest time that a reply may take, in milliseconds. */
  timeoutMs: number
  /** The interval of health checks, in milliseconds. */
  pulseMs: number
  /** The health check, with the other work that is done at each check. Rejects when Redis is unusable. */
  pulse: () => Promise<void>
}

/** A change of health: the fault that began, or `null` when Redis can be used again. */
export type HealthListener = (fault: RedisFault | null) => void

/**
 * The health of one Redis. No reply is waited for longer than `timeoutMs`. While Redis is down, only health checks are
 * sent: commands are rejected at once instead of queued. While Redis answers but its announcements do not arrive,
 * commands are still sent.
 */
export class RedisHealth {
  readonly #options: RedisHealthOptions
  readonly #listeners = new Set<HealthListener>()
  #fault: RedisFault | null
  #upSince: number
  /** True after a late reply: commands are rejected until the next health check answers. */
  #isSuspect = false
  #pulsing: Promise<void> | null = null
  /** The health check that has not been answered yet, however old it is. */
  #pendingCheck: Promise<void> | null = null
  #isClosed = false

  /** @param upSince the time since which this process knows of no outage. */
  constructor(options: RedisHealthOptions, fault: RedisFault | null = null, upSince = options.clock.now()) {
    this.#options = options
    this.#fault = fault
    this.#upSince = upSince
    this.#pulseLater()
  }

  /** The reason why Redis cannot be used, or `null`. */
  get fault(): RedisFault | null {
    return this.#fault
  }

  /** True when Redis takes commands. Its announcements may still not arrive. */
  get isAnswering(): boolean {
    return this.#fault === null || this.#fault.kind === 'deaf'
  }

  /** Milliseconds since the last known outage, or since the start of this process. */
  get upMs(): number {
    return this.#options.clock.now() - this.#upSince
  }

  onHealth(listener: HealthListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Runs a script. Rejects at once while Redis is down, and otherwise within `timeoutMs`. */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    this.assertUp()
    try {
      return await this.within(run(this.#options.port, script, keys, args))
    } catch (error) {
      // A refused write may be the first sign of a Redis that refuses all writes.
      if (isErrorReply(error)) void this.pulse()
      throw error
    }
  }

  assertUp(): void {
    if (!this.isAnswering) throw this.#fault!
    if (this.#isSuspect) throw new Error('Redis is unreachable.')
  }

  /**
   * Resolves with the reply. When the reply is late, rejects, starts a health check, and rejects all commands until the
   * check is answered.
   */
  within<T>(reply: Promise<T>): Promise<T> {
    return this.#within(reply, 'Redis did not answer', () => (this.#isSuspect = true))
  }

  /** Resolves when a subscription is made. When the subscription is late, rejects and starts a health check. */
  subscribedWithin<T>(subscribing: Promise<T>): Promise<T> {
    return this.#within(subscribing, 'Redis did not confirm a subscription')
  }

  #within<T>(reply: Promise<T>, problem: string, onLate = () => {}): Promise<T> {
    const { clock, timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const cancel = afterReading(clock, timeoutMs, () => {
        reject(new Error(`${problem} within ${timeoutMs} ms`))
        onLate()
        void this.pulse()
      })
      reply.finally(cancel).then(resolve, reject)
    })
  }

  /** Runs a health check now, or joins the current one. Never rejects. */
  pulse(): Promise<void> {
    return (this.#pulsing ??= this.#check().finally(() => (this.#pulsing = null)))
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
  }

  async #check(): Promise<void> {
    // A client may queue commands while it is offline: at most one health check is queued, however long Redis is down.
    this.#pendingCheck ??= this.#options.pulse().finally(() => (this.#pendingCheck = null))
    try {
      await this.within(this.#pendingCheck)
      this.#set(null)
    } catch (error) {
      this.#set(faultOf(error))
    }
    if (this.isAnswering) this.#isSuspect = false
  }

  #pulseLater(): void {
    const again = () => {
      if (!this.#isClosed) this.#pulseLater()
    }
    this.#options.clock.after(this.#options.pulseMs, () => {
      if (!this.#isClosed) void this.pulse().then(again)
    })
  }

  #set(fault: RedisFault | null): void {
    if (this.#isClosed) return
    const wasAnswering = this.isAnswering
    const isChange = fault?.kind !== this.#fault?.kind
    this.#fault = fault
    if (!wasAnswering && this.isAnswering) this.#upSince = this.#options.clock.now()
    if (isChange) for (const listener of this.#listeners) listener(fault)
  }
}
