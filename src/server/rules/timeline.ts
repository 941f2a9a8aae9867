import { Digest } from '../../shared/digest.js'
import type { Changed, Changes, Connection, Left, Snapshot } from '../../shared/events.js'
import { formatEventId, parseEventId, type EventId } from '../../shared/event-id.js'
import type { Commit, RoomState } from './backend.js'

/** One connection as viewers see it, with the versions at which they were shown what. */
type Shown = {
  connection: Connection<unknown, unknown>
  enteredAt: number
  locationAt: number
  profileAt: number
  activityAt: number
}

/**
 * A room as its viewers see it, and what changed since any version they may stand at. Made of a backend's commits;
 * every process that serves the room has one. No I/O, no clock.
 */
export class Timeline {
  readonly epoch: string
  /** The version before this one: who stands elsewhere is behind. */
  previous: number
  #version: number
  #floor: number
  readonly #shown = new Map<string, Shown>()
  readonly #left = new Map<string, Left>()
  readonly #connectionsOf = new Map<string, number>()
  readonly #digest = new Digest()

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

  /** A viewer below this version can only be caught up with a snapshot. */
  get floor(): number {
    return this.#floor
  }

  /** How many connections there are. */
  get size(): number {
    return this.#shown.size
  }

  /** How many members those belong to. */
  get memberCount(): number {
    return this.#connectionsOf.size
  }

  get digest(): string {
    return this.#digest.toString()
  }

  connection(connectionId: string): Connection<unknown, unknown> | undefined {
    return this.#shown.get(connectionId)?.connection
  }

  connections(): Connection<unknown, unknown>[] {
    return Array.from(this.#shown.values(), (shown) => shown.connection)
  }

  id(version = this.#version): string {
    return formatEventId({ epoch: this.epoch, version })
  }

  /** @returns false when the commit does not follow on from this version: then something was missed. */
  apply(commit: Commit): boolean {
    if (commit.epoch !== this.epoch || commit.prev !== this.#version) return false
    this.previous = commit.prev
    this.#version = commit.version
    for (const left of commit.left) this.#leave(left)
    for (const connection of commit.entered) this.#enter(connection)
    for (const change of commit.changed) this.#change(change, commit.version)
    return true
  }

  /** The version a viewer may be caught up from, `null` when only a snapshot will do. Any text may be asked about. */
  resumable(lastEventId: string | null | undefined): number | null {
    const time = parseEventId(lastEventId)
    return time && this.leadsFrom(time) ? time.version : null
  }

  /** Whether somebody who stands there can be told what changed since. */
  leadsFrom({ epoch, version }: EventId): boolean {
    return epoch === this.epoch && this.#floor <= version && version <= this.#version
  }

  /** Whether a viewer may have seen more than this: another lineage, or a version that is still to come. */
  isBehind(lastEventId: string | null | undefined): boolean {
    const time = parseEventId(lastEventId)
    return time !== null && (time.epoch !== this.epoch || time.version > this.#version)
  }

  snapshot(): Snapshot<unknown, unknown> {
    return { type: 'snapshot', connections: this.connections() }
  }

  /** Everything that changed after a version, one entry for each connection. */
  since(version: number): Changes<unknown, unknown> {
    const entered: Connection<unknown, unknown>[] = []
    const changed: Changed<unknown, unknown>[] = []
    for (const shown of this.#shown.values()) {
      if (shown.connection.at <= version) continue
      if (shown.enteredAt > version) entered.push(shown.connection)
      else changed.push(changedSince(shown, version))
    }
    const left = Array.from(this.#left.values()).filter((leaver) => leaver.at > version)
    return changesOf(this.id(version), entered, changed, left)
  }

  /** The changes of one commit, which need no search. */
  changesIn(commit: Commit): Changes<unknown, unknown> {
    const at = commit.version
    const changed = commit.changed.map((change) => ({ ...change, at }))
    return changesOf(this.id(commit.prev), commit.entered, changed, commit.left)
  }

  /** Lets go of those who left at or before a version; viewers further behind need a snapshot from now on. */
  forgetLeavers(version: number): void {
    for (const { connectionId, at } of this.#left.values()) {
      if (at > version) continue
      this.#left.delete(connectionId)
      this.#floor = Math.max(this.#floor, at)
    }
  }

  #enter(connection: Connection<unknown, unknown>): void {
    const { connectionId, memberId, at } = connection
    this.#remove(connectionId)
    this.#left.delete(connectionId)
    this.#shown.set(connectionId, { connection, enteredAt: at, locationAt: at, profileAt: at, activityAt: at })
    this.#connectionsOf.set(memberId, (this.#connectionsOf.get(memberId) ?? 0) + 1)
    this.#digest.toggle(connection)
  }

  #change({ connectionId, ...fields }: Commit['changed'][number], version: number): void {
    const shown = this.#shown.get(connectionId)
    if (!shown) return
    this.#digest.toggle(shown.connection)
    shown.connection = { ...shown.connection, ...fields, at: version }
    this.#digest.toggle(shown.connection)
    if ('location' in fields) shown.locationAt = version
    if ('profile' in fields) shown.profileAt = version
    if ('activity' in fields) shown.activityAt = version
  }

  #leave(left: Left): void {
    this.#remove(left.connectionId)
    // Deleted first, so that the map stays in the order of leaving.
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

function changedSince(shown: Shown, version: number): Changed<unknown, unknown> {
  const { connectionId, at, location, profile, activity } = shown.connection
  return {
    connectionId,
    at,
    ...(shown.locationAt > version && { location }),
    ...(shown.profileAt > version && { profile }),
    ...(shown.activityAt > version && { activity }),
  }
}

/** Empty lists are left out: most frames have one entry. */
function changesOf(
  from: string,
  entered: Connection<unknown, unknown>[],
  changed: Changed<unknown, unknown>[],
  left: Left[],
): Changes<unknown, unknown> {
  return {
    type: 'changes',
    from,
    ...(entered.length > 0 && { entered }),
    ...(changed.length > 0 && { changed }),
    ...(left.length > 0 && { left }),
  }
}
