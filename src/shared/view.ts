import { Digest } from './digest.js'
import type { Changed, Changes, Connection, LeftReason, LocationEvent, Snapshot } from './events.js'
import { parseEventId } from './event-id.js'

/** What one viewer knows of a room. Only `applyEvent` and `forgetStale` change it. */
export class View<L, P> {
  /** The id of the newest frame applied; `null` before the first snapshot. */
  id: string | null = null
  readonly connections = new Map<string, Connection<L, P>>()
  /** Known before the room began anew, and not seen again yet: kept for a while, since a restart is not an exodus. */
  readonly stale = new Map<string, Connection<L, P>>()
  readonly #digest = new Digest()

  get digest(): string {
    return this.#digest.toString()
  }

  /** Puts a connection in, or takes it out; returns what is now different for whoever watches. */
  set(connectionId: string, current: Connection<L, P> | null, reason?: LeftReason): Shift<L, P> {
    const known = this.connections.get(connectionId) ?? null
    const previous = known ?? this.stale.get(connectionId) ?? null
    if (known) this.#digest.toggle(known)
    if (current) {
      this.#digest.toggle(current)
      this.connections.set(connectionId, current)
    } else this.connections.delete(connectionId)
    this.stale.delete(connectionId)
    return { connectionId, previous, current, ...(reason && { reason }) }
  }

  /** Takes a connection out of the count, but not out of sight. */
  setStale(connection: Connection<L, P>): void {
    this.set(connection.connectionId, null)
    this.stale.set(connection.connectionId, connection)
  }
}

/** What became of one connection: `previous` is `null` when it entered, `current` when it left. */
export type Shift<L, P> = {
  connectionId: string
  previous: Connection<L, P> | null
  current: Connection<L, P> | null
  reason?: LeftReason
}

/**
 * - `shown`: the view moved on; `shifts` says what changed (nothing, perhaps).
 * - `diverged`: the viewer missed something and must begin again, without an id.
 * - `ignored`: says nothing about who is where.
 */
export type Applied<L, P> =
  | { outcome: 'shown'; shifts: Shift<L, P>[] }
  | { outcome: 'diverged'; because: 'from' | 'digest' | 'older' }
  | { outcome: 'ignored' }

/** What one event does to a view. The same events in the same order give the same view. */
export function applyEvent<L, P>(view: View<L, P>, id: string, event: LocationEvent<L, P>): Applied<L, P> {
  switch (event.type) {
    case 'snapshot':
      return applySnapshot(view, id, event)
    case 'changes':
      return applyChanges(view, id, event)
    case 'beat':
      if (view.id === null || (event.count === view.connections.size && event.digest === view.digest)) break
      return { outcome: 'diverged', because: 'digest' }
    default:
  }
  return { outcome: 'ignored' }
}

/** Lets go of those who did not come back after the room began anew. */
export function forgetStale<L, P>(view: View<L, P>): Shift<L, P>[] {
  return Array.from(view.stale.keys(), (connectionId) => view.set(connectionId, null, 'lost'))
}

function applySnapshot<L, P>(view: View<L, P>, id: string, event: Snapshot<L, P>): Applied<L, P> {
  const held = parseEventId(view.id)
  const given = parseEventId(id)
  const sameEpoch = held?.epoch === given?.epoch
  if (sameEpoch && held && given && given.version < held.version) return { outcome: 'diverged', because: 'older' }
  const missing = new Map(view.connections)
  for (const { connectionId } of event.connections) missing.delete(connectionId)
  const shifts: Shift<L, P>[] = []
  for (const connection of missing.values()) {
    if (sameEpoch) shifts.push(view.set(connection.connectionId, null, 'lost'))
    else view.setStale(connection)
  }
  for (const connection of event.connections) {
    if (view.connections.get(connection.connectionId)?.at !== connection.at || !sameEpoch)
      shifts.push(view.set(connection.connectionId, connection))
  }
  view.id = id
  return { outcome: 'shown', shifts }
}

function applyChanges<L, P>(view: View<L, P>, id: string, event: Changes<L, P>): Applied<L, P> {
  if (event.from !== view.id) return { outcome: 'diverged', because: 'from' }
  const shifts: Shift<L, P>[] = []
  // A merged frame also tells of those who came and went in between.
  for (const { connectionId, reason } of event.left ?? [])
    if (view.connections.has(connectionId) || view.stale.has(connectionId))
      shifts.push(view.set(connectionId, null, reason))
  for (const connection of event.entered ?? []) shifts.push(view.set(connection.connectionId, connection))
  for (const changed of event.changed ?? []) {
    const known = view.connections.get(changed.connectionId)
    if (!known) return { outcome: 'diverged', because: 'from' }
    shifts.push(view.set(changed.connectionId, { ...known, ...withoutUndefined(changed) }))
  }
  view.id = id
  return { outcome: 'shown', shifts }
}

// JSON has no undefined, but a transformer like superjson does: absent and undefined both mean "as before".
function withoutUndefined<L, P>(changed: Changed<L, P>): Changed<L, P> {
  const { location, profile, activity, ...rest } = changed
  return {
    ...rest,
    ...(location !== undefined && { location }),
    ...(profile !== undefined && { profile }),
    ...(activity !== undefined && { activity }),
  }
}
