import type { Activity, Changed, Connection } from './events.js'
import { patchedPresence, presenceOf } from './presence.js'
import type { RoomTypes } from './room-types.js'

/*
 * A member may have several connections, for example browser windows. The connection that was used last speaks for the
 * member: the member is shown with its location, profile and presence value.
 */

type Speaker = { connectionId: string; at: number; activeAt?: number }

/** The version at which a connection was last used: it entered, moved, became active, or posted `used`. */
export const activeAtOf = ({ at, activeAt = at }: Pick<Speaker, 'at' | 'activeAt'>): number => activeAt

/** Orders the connections of a member: the connection that was used last, which speaks for the member, comes first. */
export const bySpeaking = (a: Speaker, b: Speaker): number =>
  activeAtOf(b) - activeAtOf(a) || (a.connectionId < b.connectionId ? 1 : -1)

/** The activity of a member: that of the most active of their connections. */
export const mostActive = (connections: readonly { activity: Activity }[]): Activity =>
  (['active', 'idle', 'away'] as const).find((each) => connections.some(({ activity }) => activity === each))!

/**
 * Returns whether a change that carries no `activeAt` counts as use of the connection: its location changed, or it
 * became active.
 */
export const impliesUse = (changed: { location?: unknown; activity?: Activity }): boolean =>
  changed.location !== undefined || changed.activity === 'active'

/**
 * Applies a changed entry to a connection, and returns the new connection. `activeAt` is absent when it equals `at`,
 * and `locks` when empty.
 */
export function withChange<T extends RoomTypes>(known: Connection<T>, changed: Changed<T>): Connection<T> {
  const { presence: _presence, presenceCleared: _cleared, presenceReset: _reset, ...fields } = changed as Changed
  const { at, activeAt = impliesUse(changed) ? at : activeAtOf(known) } = changed
  const before = presenceOf(known)
  const presence = patchedPresence(before, changed as Changed)
  const connection = { ...known, ...fields, ...(presence !== before && { presence }), activeAt } as Connection<T>
  // An empty presence value is left out, as it is in a snapshot.
  if (presence !== before && Object.keys(presence).length === 0) delete (connection as Connection).presence
  // `activeAt` is usually the property that was added last. Deleting it then keeps the object's hidden class in V8.
  if (activeAt === at) delete connection.activeAt
  if (connection.locks?.length === 0) delete connection.locks
  return connection
}
