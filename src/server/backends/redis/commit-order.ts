import type { Announced } from './script-codec.js'

/** The position of a process in the sequence of a room's commits. */
export type Head = { epoch: string; version: number }

// The largest number of waiting commits, which bounds the memory. So many commits wait only when the room cannot be
// read.
const mostWaiting = 1_000

/**
 * Orders commits that arrive in any order, duplicates included. An announcement may be lost, so each commit names the
 * version that it follows. A commit whose predecessor is missing waits; if the predecessor does not arrive, the room
 * must be read again.
 */
export class CommitOrder {
  #head: Head
  /** The newest known position of the room. Its epoch differs from that of `#head` when the room was recreated. */
  #newest: Head
  /** Waiting commits, by the version that they follow. */
  readonly #waiting = new Map<number, Announced>()

  constructor(head: Head) {
    this.#head = this.#newest = head
  }

  get head(): Head {
    return this.#head
  }

  /** True when commits are missing: in flight, or lost. */
  get isBehind(): boolean {
    return isNewer(this.#newest, this.#head)
  }

  /** Adds a commit. Returns the commits that can now be applied, in order. */
  take(commit: Announced): Announced[] {
    if (!isNewer(commit, this.#head)) return []
    this.heard(commit)
    if (this.#waiting.size >= mostWaiting) this.#waiting.clear()
    this.#waiting.set(commit.prev, commit)
    return this.#following()
  }

  /** Records a position that the room has reached. */
  heard({ epoch, version }: Head): void {
    if (isNewer({ epoch, version }, this.#newest)) this.#newest = { epoch, version }
  }

  /**
   * Moves to the position of a full read. Returns the commits that follow it, or `null` when the read brought nothing
   * new.
   */
  reset({ epoch, version }: Head): Announced[] | null {
    const isNews = isNewer({ epoch, version }, this.#head)
    if (isNews) this.#head = { epoch, version }
    // A read is authoritative: earlier knowledge is discarded, except for waiting commits that follow the position of
    // the read.
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

/** Epochs have no order: a position in a different epoch always counts as newer. */
const isNewer = (one: Head, other: Head) => one.epoch !== other.epoch || one.version > other.version
