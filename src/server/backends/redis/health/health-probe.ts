import type { Clock } from '../../../../shared/clock.js'
import { afterReading } from './after-reading.js'
import { run, type RedisPort } from '../clients/client-port.js'
import { probeScript } from '../script.js'
import { deafness } from './redis-fault.js'

export type HealthProbeOptions = {
  port: RedisPort
  clock: Clock
  /** A key that only this process uses, which is also the name of its channel. */
  key: string
  timeoutMs: number
  /** Called at the end of each probe that Redis answered. `isDeaf`: the announcement did not arrive. */
  onAnswered: (answer: { isDeaf: boolean; beganAt: number }) => void
}

/**
 * The number of times that a probe is announced before the subscribing connection counts as deaf: as receiving no
 * messages.
 */
const announcements = 3

/**
 * Probes one Redis in the way that posts depend on it: a script writes, and the announcement of that script must
 * arrive. So the probe fails when Redis refuses writes, and when the subscribing connection is dead although commands
 * are answered.
 */
export class HealthProbe {
  readonly #options: HealthProbeOptions
  #sent = 0
  #received = 0
  #onReceived = () => {}
  #listening: Promise<unknown> | null = null

  constructor(options: HealthProbeOptions) {
    this.#options = options
  }

  /** Resolves when a write succeeded and its announcement arrived. @throws RedisFault `deaf`, or the error of the write. */
  async probe(): Promise<void> {
    const { clock, timeoutMs, onAnswered } = this.#options
    const beganAt = clock.now()
    // The probe waits until 90% of the timeout, to have its result before the health check times out. After a slow
    // write it still waits for an eighth of the timeout.
    const leftMs = () => Math.max(beganAt + 0.9 * timeoutMs - clock.now(), timeoutMs / 8)
    const first = this.#sent + 1
    const isNew = this.#listening === null
    const listening = this.#listen()
    await this.#announce()
    const problem = await this.#problemOf(listening, leftMs())
    // The first announcement may have been published before the subscription was made.
    if (isNew && problem === null) await this.#announce()
    const isDeaf = problem !== null || !(await this.#hears(first, leftMs() / announcements))
    onAnswered({ isDeaf, beganAt })
    if (isDeaf) throw deafness(problem)
  }

  /** Subscribes to the channel, once. */
  #listen(): Promise<unknown> {
    const { port, key } = this.#options
    this.#listening ??= port
      .subscribe(key, (number) => this.#receive(Number(number)))
      .catch((error: unknown) => {
        this.#listening = null
        throw error
      })
    this.#listening.catch(() => {})
    return this.#listening
  }

  async #problemOf(listening: Promise<unknown>, withinMs: number): Promise<unknown> {
    try {
      return (await this.#isWithin(listening, withinMs)) ? null : new Error('Subscribing takes too long')
    } catch (error) {
      return error
    }
  }

  async #announce(): Promise<void> {
    const { port, key } = this.#options
    await run(port, probeScript, [key], [String(++this.#sent)])
  }

  /**
   * Waits for an announcement to arrive, and repeats the announcement: the client may just have reconnected by itself.
   */
  async #hears(first: number, waitMs: number): Promise<boolean> {
    for (let again = 0; again < announcements && this.#received < first; again++) {
      if (again > 0) this.#announce().catch(() => {})
      await this.#isWithin(new Promise<void>((resolve) => (this.#onReceived = resolve)), waitMs)
    }
    return this.#received >= first
  }

  #receive(number: number): void {
    this.#received = Math.max(this.#received, number)
    this.#onReceived()
  }

  /** Returns false if the promise did not settle within `ms`. */
  #isWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const cancel = afterReading(this.#options.clock, ms, () => resolve(false))
      promise.finally(cancel).then(() => resolve(true), reject)
    })
  }
}
