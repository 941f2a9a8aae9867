import { Digest } from '../../shared/digest.js'
import type { Changed, Changes, Connection, Left, Snapshot } from '../../shared/events.js'
import { formatEventId, parseEventId, type EventId } from '../../shared/event-id.js'
import { presenceOf, presencePatch } from '../../shared/presence.js'
import { activeAtOf, impliesUse, withChange } from '../../shared/speaking.js'
import type { Commit, RoomState } from './backend.js'

/** A connection as viewers see it, and the version at which each of its fields last changed. */
type Shown = {
  connection: Connection
  enteredAt: number
  locationAt: number
  profileAt: number
  activityAt: number
  presenceAt: number
  locksAt: number
}

/**
 * The current state of a room, and the changes since any version that a viewer may have. Built from the commits of a
 * backend; every process that serves the room has one. No I/O, no clock.
 */
export class Timeline {
  readonly epoch: string
  /**
   * The version before the last commit. A viewer that is neither at this version nor at the current one lags behind.
   */
  previous: number
  #version: number
  #floor: number
  readonly #shown = new Map<string, Shown>()
  readonly #left = new Map<string, Left>()
  readonly #connectionsOf = new Map<string, number>()
  readonly #digest = new Digest()
  /** The changes of presence values in the last commit, by connection id. */
  #patches = new Map<string, ReturnType<typeof presencePatch>>()

  constructor(state: RoomState) {
    this.epoch = state.epoch
    this.#version = this.previous = state.version
    this.#floor = state.floor
    for (const left of state.left) this.#left.set(left.connectionId, left)
    for (const connection of state.connections) this.#enter(connection)
  }

  get version(): number {
    return this.#version
  }

  /** The oldest version from which changes are known. A viewer below it needs a snapshot. */
  get floor(): number {
    return this.#floor
  }

  /** The number of connections in the room. */
  get size(): number {
    return this.#shown.size
  }

  /** The number of members who have a connection in the room. */
  get memberCount(): number {
    return this.#connectionsOf.size
  }

  get digest(): string {
    return this.#digest.toString()
  }

  connection(connectionId: string): Connection | undefined {
    return this.#shown.get(connectionId)?.connection
  }

  /** Returns whether a member has a connection in the room. */
  hasMember(memberId: string): boolean {
    return this.#connectionsOf.has(memberId)
  }

  connections(): Connection[] {
    return Array.from(this.#shown.values(), (shown) => shown.connection)
  }

  id(version = this.#version): string {
    return formatEventId({ epoch: this.epoch, version })
  }

  /**
   * Applies a commit. Returns false when the commit does not follow the current version, which means that a commit was
   * missed.
   */
  apply(commit: Commit): boolean {
    if (commit.epoch !== this.epoch || commit.prev !== this.#version) return false
    this.previous = commit.prev
    this.#version = commit.version
    this.#patches.clear()
    for (const left of commit.left) this.#leave(left)
    for (const connection of commit.entered) this.#enter(connection)
    for (const change of commit.changed) this.#change(change, commit.version)
    return true
  }

  /**
   * Returns the version from which a viewer can be sent changes, or `null` when it needs a snapshot. Accepts any text.
   */
  resumable(lastEventId: string | null | undefined): number | null {
    const id = parseEventId(lastEventId)
    return id && this.leadsFrom(id) ? id.version : null
  }

  /** Returns whether the changes since a version are known. */
  leadsFrom({ epoch, version }: EventId): boolean {
    return epoch === this.epoch && this.#floor <= version && version <= this.#version
  }

  /** Returns whether a viewer may have seen a newer state than this timeline has: another epoch, or a later version. */
  isBehind(lastEventId: string | null | undefined): boolean {
    const id = parseEventId(lastEventId)
    return id !== null && (id.epoch !== this.epoch || id.version > this.#version)
  }

  snapshot(): Snapshot {
    return { type: 'snapshot', connections: this.connections() }
  }

  /** Returns everything that changed after a version, one entry for each connection. */
  since(version: number): Changes {
    const entered: Connection[] = []
    const changed: Changed[] = []
    for (const shown of this.#shown.values()) {
      if (shown.connection.at <= version) continue
      if (shown.enteredAt > version) entered.push(shown.connection)
      else changed.push(changedSince(shown, version))
    }
    const left = Array.from(this.#left.values()).filter((leaver) => leaver.at > version)
    return changesOf(this.id(version), entered, changed, left)
  }

  /** Returns the changes of the last commit, without searching all connections. */
  changesIn(commit: Commit): Changes {
    const at = commit.version
    const changed = commit.changed.map(({ presence: _whole, ...change }) => ({
      ...change,
      at,
      ...this.#patches.get(change.connectionId),
    }))
    return changesOf(this.id(commit.prev), commit.entered, changed, commit.left)
  }

  /** Forgets the connections that left at or before a version. Viewers further behind then need a snapshot. */
  forgetLeavers(version: number): void {
    for (const { connectionId, at } of this.#left.values()) {
      if (at > version) continue
      this.#left.delete(connectionId)
      this.#floor = Math.max(this.#floor, at)
    }
  }

  #enter(connection: Connection): void {
    const { connectionId, memberId, at } = connection
    this.#remove(connectionId)
    this.#left.delete(connectionId)
    const fieldsAt = { locationAt: at, profileAt: at, activityAt: at, presenceAt: at, locksAt: at }
    this.#shown.set(connectionId, { connection, enteredAt: at, ...fieldsAt })
    this.#connectionsOf.set(memberId, (this.#connectionsOf.get(memberId) ?? 0) + 1)
    this.#digest.toggle(connection)
  }

  #change({ connectionId, ...fields }: Commit['changed'][number], version: number): void {
    const shown = this.#shown.get(connectionId)
    if (!shown) return
    this.#digest.toggle(shown.connection)
    const { presence, ...others } = fields
    const patch = presence && presencePatch(presenceOf(shown.connection), presence)
    if (patch) this.#patches.set(connectionId, patch)
    shown.connection = withChange(shown.connection, { connectionId, ...others, ...patch, at: version })
    this.#digest.toggle(shown.connection)
    if ('location' in fields) shown.locationAt = version
    if ('profile' in fields) shown.profileAt = version
    if ('activity' in fields) shown.activityAt = version
    if (patch) shown.presenceAt = version
    if ('locks' in fields) shown.locksAt = version
  }

  #leave(left: Left): void {
    this.#remove(left.connectionId)
    // The old entry is deleted first, so that the map stays in the order of leaving.
    this.#left.delete(left.connectionId)
    this.#left.set(left.connectionId, left)
  }

  #remove(connectionId: string): void {
    const shown = this.#shown.get(connectionId)
    if (!shown) return
    const { memberId } = shown.connection
    const siblings = this.#connectionsOf.get(memberId)! - 1
    if (siblings === 0) this.#connectionsOf.delete(memberId)
    else this.#connectionsOf.set(memberId, siblings)
    this.#digest.toggle(shown.connection)
    this.#shown.delete(connectionId)
  }
}

function changedSince(shown: Shown, version: number): Changed {
  const { connectionId, at, location, profile, activity, locks = [] } = shown.connection
  const changed: Changed = {
    connectionId,
    at,
    ...(shown.locationAt > version && { location }),
    ...(shown.profileAt > version && { profile }),
    ...(shown.activityAt > version && { activity }),
    ...(shown.presenceAt > version && { presence: presenceOf(shown.connection), presenceReset: true }),
    ...(shown.locksAt > version && { locks }),
  }
  const activeAt = activeAtOf(shown.connection)
  const isImplied = impliesUse(changed) ? activeAt === at : activeAt <= version
  return isImplied ? changed : { ...changed, activeAt }
}

/** Returns a `changes` event without its empty lists, because most frames have one entry. */
function changesOf(from: string, entered: Connection[], changed: Changed[], left: Left[]): Changes {
  return {
    type: 'changes',
    from,
    ...(entered.length > 0 && { entered }),
    ...(changed.length > 0 && { changed }),
    ...(left.length > 0 && { left }),
  }
}
