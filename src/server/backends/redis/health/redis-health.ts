import type { Clock } from '../../../../shared/clock.js'
import { run, type RedisPort } from '../clients/client-port.js'
import type { Script } from '../script.js'

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

/**
 * The health of one Redis. No reply is waited for longer than `timeoutMs`. While Redis is down, only health checks are sent:
 * commands are rejected at once instead of queued.
 */
export class RedisHealth {
  readonly #options: RedisHealthOptions
  readonly #listeners = new Set<(health: 'up' | 'down') => void>()
  #health: 'up' | 'down'
  #upSince: number
  /** True after a late reply: commands are rejected until the next health check answers. */
  #isSuspect = false
  #pulsing: Promise<void> | null = null
  /** The unanswered health check, however old. */
  #pendingCheck: Promise<void> | null = null
  #isClosed = false

  /** @param upSince the time since which this process knows of no outage. */
  constructor(options: RedisHealthOptions, health: 'up' | 'down' = 'up', upSince = options.clock.now()) {
    this.#options = options
    this.#health = health
    this.#upSince = upSince
    this.#pulseLater()
  }

  get health(): 'up' | 'down' {
    return this.#health
  }

  /** Milliseconds since the last known outage, or since the start of this process. */
  get upMs(): number {
    return this.#options.clock.now() - this.#upSince
  }

  onHealth(listener: (health: 'up' | 'down') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Runs a script. Rejects at once while Redis is down, and otherwise within `timeoutMs`. */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    this.assertUp()
    return this.within(run(this.#options.port, script, keys, args))
  }

  assertUp(): void {
    if (this.#health === 'down' || this.#isSuspect) throw new Error('Redis is unreachable.')
  }

  /** Resolves with the reply. When it is late, rejects and starts a health check. */
  within<T>(reply: Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        reject(new Error(`Redis did not answer within ${timeoutMs} ms.`))
        this.#isSuspect = true
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
      this.#isSuspect = false
      this.#set('up')
    } catch {
      this.#set('down')
    }
  }

  #pulseLater(): void {
    const again = () => {
      if (!this.#isClosed) this.#pulseLater()
    }
    this.#options.clock.after(this.#options.pulseMs, () => {
      if (!this.#isClosed) void this.pulse().then(again)
    })
  }

  #set(health: 'up' | 'down'): void {
    if (health === this.#health || this.#isClosed) return
    this.#health = health
    if (health === 'up') this.#upSince = this.#options.clock.now()
    for (const listener of this.#listeners) listener(health)
  }
}
