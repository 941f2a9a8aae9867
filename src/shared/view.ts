import { Digest } from './digest.js'
import type { Changed, Changes, Connection, LeftReason, LocationEvent, Snapshot } from './events.js'
import { parseEventId } from './event-id.js'

/** The state of a room as one viewer knows it. Only `applyEvent` and `forgetStale` change it. */
export class View<L, P> {
  /** The id of the last event applied; `null` before the first snapshot. */
  id: string | null = null
  readonly connections = new Map<string, Connection<L, P>>()
  /**
   * Connections of the previous epoch that the new epoch has not shown yet. They stay visible for a while, because after
   * a restart of the server their clients come back.
   */
  readonly stale = new Map<string, Connection<L, P>>()
  readonly #digest = new Digest()

  get digest(): string {
    return this.#digest.toString()
  }

  /** Adds, replaces or (with `null`) removes a connection. Returns the difference. */
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

  /** Moves a connection to `stale`: the digest no longer includes it, but it stays visible. */
  setStale(connection: Connection<L, P>): void {
    this.set(connection.connectionId, null)
    this.stale.set(connection.connectionId, connection)
  }
}

/** The change of one connection. `previous` is `null` when it entered, `current` is `null` when it left. */
export type Shift<L, P> = {
  connectionId: string
  previous: Connection<L, P> | null
  current: Connection<L, P> | null
  reason?: LeftReason
}

/**
 * The result of an event.
 *
 * - `shown`: the view is at the version of the event. `shifts` holds the changes and may be empty.
 * - `diverged`: the viewer missed an event and must subscribe again without a last event id.
 * - `ignored`: the event does not change the view.
 */
export type Applied<L, P> =
  | { outcome: 'shown'; shifts: Shift<L, P>[] }
  | { outcome: 'diverged'; because: 'from' | 'digest' | 'older' | 'form' }
  | { outcome: 'ignored' }

/** Applies one event to a view. Deterministic: the same events in the same order lead to the same view. */
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

/** Removes the connections that did not come back after the room began a new epoch. Returns them as `lost`. */
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
  // A merged frame also lists connections that entered and left in between, which this view never showed.
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

// JSON has no undefined, but a transformer like superjson has. Both absent and undefined mean unchanged.
function withoutUndefined<L, P>(changed: Changed<L, P>): Changed<L, P> {
  const { location, profile, activity, ...rest } = changed
  return {
    ...rest,
    ...(location !== undefined && { location }),
    ...(profile !== undefined && { profile }),
    ...(activity !== undefined && { activity }),
  }
}
