import type { Announced } from './script-codec.js'

/** Where a process stands in a room's time. */
export type Head = { epoch: string; version: number }

// Nobody waits for this many: something keeps us from reading the room, and memory must not pay for it.
const mostWaiting = 1_000

/**
 * Puts commits in order, in whatever order they come and however often. An announcement may be lost, so each names the
 * version that it follows: what does not follow waits, and a wait that has no end means that the room must be read again.
 */
export class CommitOrder {
  #head: Head
  /** The newest that we know of; of another epoch, when the room began anew. */
  #newest: Head
  /** By the version they follow. */
  readonly #waiting = new Map<number, Announced>()

  constructor(head: Head) {
    this.#head = this.#newest = head
  }

  get head(): Head {
    return this.#head
  }

  /** Whether there is more than we have: on its way, or lost. */
  get isBehind(): boolean {
    return isNewer(this.#newest, this.#head)
  }

  /** Takes in a commit. Returns those that now follow on, in order. */
  take(commit: Announced): Announced[] {
    if (!isNewer(commit, this.#head)) return []
    this.heard(commit)
    if (this.#waiting.size >= mostWaiting) this.#waiting.clear()
    this.#waiting.set(commit.prev, commit)
    return this.#following()
  }

  /** Takes in where the room is. */
  heard({ epoch, version }: Head): void {
    if (isNewer({ epoch, version }, this.#newest)) this.#newest = { epoch, version }
  }

  /** The room was read: it is there. Returns the commits that follow on; `null` when we were as far already. */
  reset({ epoch, version }: Head): Announced[] | null {
    const isNews = isNewer({ epoch, version }, this.#head)
    if (isNews) this.#head = { epoch, version }
    // Whatever else was said of it was not so, but for what has come since.
    this.#newest = this.#head
    for (const [prev, waiting] of this.#waiting) {
      if (waiting.epoch !== epoch || waiting.version <= this.#head.version) this.#waiting.delete(prev)
      else this.heard(waiting)
    }
    return isNews ? this.#following() : null
  }

  #following(): Announced[] {
    const following: Announced[] = []
    for (;;) {
      const { epoch, version } = this.#head
      const next = this.#waiting.get(version)
      if (next?.epoch !== epoch) return following
      this.#waiting.delete(version)
      this.#head = { epoch, version: next.version }
      following.push(next)
    }
  }
}

/** Epochs have no order: another one is always news. */
const isNewer = (one: Head, other: Head) => one.epoch !== other.epoch || one.version > other.version
