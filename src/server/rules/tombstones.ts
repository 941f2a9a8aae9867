import type { Left, LeftReason } from '../../shared/events.js'

/** The record of a connection that is gone. The record prevents that a late post brings the connection back. */
export type Tombstone = Left & { memberId: string | null; seq: number; purgeAt: number }

/** The data of a connection that left, for its tombstone. `at` is the version at which the connection left. */
export type Departure = {
  connectionId: string
  memberId: string | null
  seq: number
  reason: LeftReason
  at: number
}

/** The most tombstones of connections that no viewer was ever shown. Callers choose the ids of those. */
const maxUnseen = 1_000

/** The tombstones of one room. A room keeps each for `tombstoneMs`. */
export class Tombstones {
  readonly #tombstoneMs: number
  readonly #forgotten: (connectionId: string) => void
  /** Tombstones of connections that viewers were shown, ordered by insertion, so that the oldest come first. */
  readonly #shown = new Map<string, Tombstone>()
  /** Tombstones of connections that no viewer was ever shown. Ordered by insertion. */
  readonly #unseen = new Map<string, Tombstone>()

  /** @param forgotten called with each connection whose tombstone is purged. */
  constructor(tombstoneMs: number, forgotten: (connectionId: string) => void) {
    this.#tombstoneMs = tombstoneMs
    this.#forgotten = forgotten
  }

  of(connectionId: string): Tombstone | undefined {
    return this.#shown.get(connectionId) ?? this.#unseen.get(connectionId)
  }

  /** Returns whether the connection has a tombstone that viewers are told of. */
  isShown(connectionId: string): boolean {
    return this.#shown.has(connectionId)
  }

  /** Returns the connections that left, as viewers are told of them. */
  left(): Left[] {
    return Array.from(this.#shown.values(), ({ connectionId, at, reason }) => ({ connectionId, at, reason }))
  }

  /**
   * Adds the tombstone of a connection, or renews the one that it has, which keeps its version and its member.
   *
   * @param wasShown viewers knew the connection.
   */
  add(departure: Departure, wasShown: boolean, now: number): void {
    const { connectionId, memberId, at, ...rest } = departure
    const known = this.of(connectionId)
    const purgeAt = now + this.#tombstoneMs
    const kept = { at: known?.at ?? at, memberId: known?.memberId ?? memberId }
    const tombstones = wasShown || this.isShown(connectionId) ? this.#shown : this.#unseen
    // The old entry is deleted first, so that the new entry is the last of the map.
    tombstones.delete(connectionId)
    tombstones.set(connectionId, { connectionId, ...kept, ...rest, purgeAt })
    if (this.#unseen.size > maxUnseen) this.#forget(this.#unseen, this.#unseen.keys().next().value!)
  }

  /** Removes the tombstone of a connection that is back. */
  remove(connectionId: string): void {
    this.#shown.delete(connectionId)
    this.#unseen.delete(connectionId)
  }

  /** Forgets the tombstones whose time is over. Returns the newest version at which one of them that was shown left. */
  purge(now: number): number {
    let newest = 0
    for (const [connectionId, { purgeAt, at }] of this.#shown) {
      if (now < purgeAt) break
      this.#forget(this.#shown, connectionId)
      newest = Math.max(newest, at)
    }
    for (const [connectionId, { purgeAt }] of this.#unseen) {
      if (now < purgeAt) break
      this.#forget(this.#unseen, connectionId)
    }
    return newest
  }

  #forget(tombstones: Map<string, Tombstone>, connectionId: string): void {
    tombstones.delete(connectionId)
    this.#forgotten(connectionId)
  }
}
