import type { LocationClient, WatchedRoom } from '../client/index.js'
import { systemClock } from '../shared/clock.js'
import type { RoomTypes } from '../shared/room-types.js'
import { rethrowLater } from './rethrow-later.js'
import type { RoomOptions } from './room-options.js'

/**
 * Joins or watches a room. A profile that cannot be sent is reported as an uncaught error, and the room is joined
 * without it.
 */
export function joinRoom<T extends RoomTypes>(
  client: LocationClient<T>,
  { room, profile, location, watch, initial }: RoomOptions<T>,
): WatchedRoom<T> {
  if (watch) return client.watch(room, { initial })
  return rethrowLater(() => client.join(room, { profile, location, initial })) ?? client.join(room, { initial })
}

/**
 * Leaves a room a moment later. React's StrictMode unmounts and mounts again at once, and a framework may replace one
 * component by another: because the next component joins before the first one leaves, the room stays open.
 */
export function leaveSoon<T extends RoomTypes>(room: WatchedRoom<T>): void {
  systemClock.after(0, () => void room.leave())
}
