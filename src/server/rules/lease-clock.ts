/**
 * The time that leases go by: it stands still while this process does. A process that stalled for a minute heard nobody
 * for that minute, and must not take them for gone. Pure: it is told the time.
 */
export class LeaseClock {
  readonly #cadenceMs: number
  #seen: number
  #lostMs = 0

  /** @param cadenceMs how often it is read when all is well; four times as long a silence counts as a stall. */
  constructor(now: number, cadenceMs: number) {
    this.#seen = now
    this.#cadenceMs = cadenceMs
  }

  read(now: number): number {
    const silenceMs = now - this.#seen
    if (silenceMs > 4 * this.#cadenceMs) this.#lostMs += silenceMs - this.#cadenceMs
    this.#seen = now
    return now - this.#lostMs
  }
}
