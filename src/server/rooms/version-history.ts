/**
 * The number of marks in one retention period. More marks would take memory; fewer would keep versions longer than
 * necessary.
 */
const marksPerPeriod = 32

/**
 * The versions that a room had in the last `keepMs`, with a resolution of 1/32 of that time. A version does not reveal
 * its age, because versions may follow the wall clock of another machine. Pure: time is an argument.
 */
export class VersionHistory {
  readonly #keepMs: number
  /** The marks, in the order of time; never more than `marksPerPeriod` and a few. */
  #marks: { at: number; version: number }[] = []

  constructor(keepMs: number) {
    this.#keepMs = keepMs
  }

  /** The number of marks in memory. */
  get size(): number {
    return this.#marks.length
  }

  /**
   * Notes the version that the room has now. Returns the newest version that is known to be `keepMs` old; `null` while
   * none is.
   */
  note(version: number, now: number): number | null {
    const latest = this.#marks.at(-1)
    if (!latest || now - latest.at >= this.#keepMs / marksPerPeriod) this.#marks.push({ at: now, version })
    const firstYoung = this.#marks.findIndex(({ at }) => now - at < this.#keepMs)
    const old = firstYoung === -1 ? this.#marks.length : firstYoung
    const oldest = this.#marks[old - 1]
    if (!oldest) return null
    this.#marks = this.#marks.slice(old)
    return oldest.version
  }
}
