import { Digest } from './digest.js'
import type { Changes, Connection, LeftReason, LocationEvent, Snapshot } from './events.js'
import { parseEventId } from './event-id.js'
import { withChange } from './speaking.js'
import type { RoomTypes } from './room-types.js'

/** The state of a room as one viewer knows it. Only `applyEvent` and `forgetStale` change it. */
export class View<T extends RoomTypes = RoomTypes> {
  /** The id of the last event that was applied to the view; `null` before the first snapshot. */
  id: string | null = null
  readonly connections = new Map<string, Connection<T>>()
  /**
   * Connections of the previous epoch that the new epoch has not shown yet. They stay visible for a while, because after
   * a restart of the server their clients come back.
   */
  readonly stale = new Map<string, Connection<T>>()
  readonly #digest = new Digest()

  get digest(): string {
    return this.#digest.toString()
  }

  /**
   * Adds, replaces or (with `null`) removes a connection. Returns the difference.
   *
   * @throws TypeError for a connection without a `memberId`, which a faulty server may send. The view is unchanged
   * then.
   */
  set(connectionId: string, current: Connection<T> | null, reason?: LeftReason): Shift<T> {
    if (current && typeof current.memberId !== 'string') throw new TypeError()
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
  setStale(connection: Connection<T>): void {
    this.set(connection.connectionId, null)
    this.stale.set(connection.connectionId, connection)
  }
}

/** The change of one connection. `previous` is `null` when it entered, `current` is `null` when it left. */
export type Shift<T extends RoomTypes = RoomTypes> = {
  connectionId: string
  previous: Connection<T> | null
  current: Connection<T> | null
  reason?: LeftReason
}

/**
 * The result of applying an event to a view.
 *
 * - `shown`: the view is at the version of the event. `shifts` holds the changes and may be empty.
 * - `diverged`: the viewer missed an event and must subscribe again without a last event id.
 * - `ignored`: the event does not change the view.
 */
export type Applied<T extends RoomTypes = RoomTypes> =
  | { outcome: 'shown'; shifts: Shift<T>[] }
  | { outcome: 'diverged'; because: 'from' | 'digest' | 'older' | 'form' }
  | { outcome: 'ignored' }

/** Applies one event to a view. Deterministic: the same events in the same order lead to the same view. */
export function applyEvent<T extends RoomTypes>(view: View<T>, id: string, event: LocationEvent<T>): Applied<T> {
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
export function forgetStale<T extends RoomTypes>(view: View<T>): Shift<T>[] {
  return Array.from(view.stale.keys(), (connectionId) => view.set(connectionId, null, 'lost'))
}

function applySnapshot<T extends RoomTypes>(view: View<T>, id: string, event: Snapshot<T>): Applied<T> {
  const held = parseEventId(view.id)
  const given = parseEventId(id)
  const sameEpoch = held?.epoch === given?.epoch
  if (sameEpoch && held && given && given.version < held.version) return { outcome: 'diverged', because: 'older' }
  const missing = new Map(view.connections)
  for (const { connectionId } of event.connections) missing.delete(connectionId)
  const shifts: Shift<T>[] = []
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

function applyChanges<T extends RoomTypes>(view: View<T>, id: string, event: Changes<T>): Applied<T> {
  if (event.from !== view.id) return { outcome: 'diverged', because: 'from' }
  const shifts: Shift<T>[] = []
  // A merged frame also lists connections that entered and left in between, which this view never showed.
  for (const { connectionId, reason } of event.left ?? [])
    if (view.connections.has(connectionId) || view.stale.has(connectionId))
      shifts.push(view.set(connectionId, null, reason))
  for (const connection of event.entered ?? []) shifts.push(view.set(connection.connectionId, connection))
  for (const changed of event.changed ?? []) {
    const known = view.connections.get(changed.connectionId)
    if (!known) return { outcome: 'diverged', because: 'from' }
    shifts.push(view.set(changed.connectionId, withChange(known, withoutUndefined(changed))))
  }
  view.id = id
  return { outcome: 'shown', shifts }
}

// JSON has no `undefined`, but a transformer like superjson does. A field that is absent or `undefined` is unchanged.
const withoutUndefined = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
