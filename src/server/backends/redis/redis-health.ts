import type { Clock } from '../../../shared/clock.js'
import { run, type RedisPort } from './client-port.js'
import type { Script } from './script.js'

export type RedisHealthOptions = {
  port: RedisPort
  clock: Clock
  /** How long a reply may take. */
  timeoutMs: number
  /** How often Redis is asked whether it is there. */
  pulseMs: number
  /** The question, and whatever else is to be done at each pulse. */
  pulse: () => Promise<void>
}

/**
 * The line to Redis: knows whether anybody is at the other end. No reply is waited for longer than `timeoutMs`, and while
 * Redis is away nothing is sent but the question whether it is back: there is no queue.
 */
export class RedisHealth {
  readonly #options: RedisHealthOptions
  readonly #listeners = new Set<(health: 'up' | 'down') => void>()
  #health: 'up' | 'down'
  #upSince: number
  /** A reply was late: until the next pulse nobody else waits for one. */
  #isInDoubt = false
  #pulsing: Promise<void> | null = null
  /** Asked, and not answered yet, however long ago. */
  #asking: Promise<void> | null = null
  #isClosed = false

  /** @param upSince since when all has been well, as far as this process knows. */
  constructor(options: RedisHealthOptions, health: 'up' | 'down' = 'up', upSince = options.clock.now()) {
    this.#options = options
    this.#health = health
    this.#upSince = upSince
    this.#pulseLater()
  }

  get health(): 'up' | 'down' {
    return this.#health
  }

  /** How long all has been well, as far as this process knows. */
  get upMs(): number {
    return this.#options.clock.now() - this.#upSince
  }

  onHealth(listener: (health: 'up' | 'down') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Runs a script. Rejects at once while Redis is away, and otherwise within `timeoutMs`. */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown> {
    this.assertUp()
    return this.within(run(this.#options.port, script, keys, args))
  }

  assertUp(): void {
    if (this.#health === 'down' || this.#isInDoubt) throw new Error('Redis is out of reach.')
  }

  /** The reply, if it comes in time; if not, Redis is asked whether it is there. */
  within<T>(reply: Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const callOff = clock.after(timeoutMs, () => {
        reject(new Error(`Redis did not answer within ${timeoutMs} ms.`))
        this.#isInDoubt = true
        void this.pulse()
      })
      reply.finally(callOff).then(resolve, reject)
    })
  }

  /** Asks now; a question under way is enough. Never rejects. */
  pulse(): Promise<void> {
    return (this.#pulsing ??= this.#ask().finally(() => (this.#pulsing = null)))
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
  }

  async #ask(): Promise<void> {
    // What a client keeps for later it keeps once, however long Redis is away.
    this.#asking ??= this.#options.pulse().finally(() => (this.#asking = null))
    try {
      await this.within(this.#asking)
      this.#isInDoubt = false
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
