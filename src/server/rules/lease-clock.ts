/**
 * The time by which leases expire. It stands still while the process is stalled: a process that stalled for a minute
 * received no posts in that minute and must not expire the leases of its clients. Pure: time is an argument.
 */
export class LeaseClock {
  readonly #readIntervalMs: number
  #lastRead: number
  #lostMs = 0

  /**
   * @param readIntervalMs the interval at which `read` is normally called. A gap of more than four intervals counts as
   * a stall.
   */
  constructor(now: number, readIntervalMs: number) {
    this.#lastRead = now
    this.#readIntervalMs = readIntervalMs
  }

  /** For how long the lease clock has stood still so far, in milliseconds. */
  get lostMs(): number {
    return this.#lostMs
  }

  read(now: number): number {
    const gapMs = now - this.#lastRead
    if (gapMs > 4 * this.#readIntervalMs) this.#lostMs += gapMs - this.#readIntervalMs
    this.#lastRead = now
    return now - this.#lostMs
  }
}
