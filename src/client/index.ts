/**
 * The client, for browsers and for Node.
 *
 * @module hereabouts/client
 */
export { LocationError, type LocationErrorCode } from '../shared/errors.js'
export {
  type DataTransformer,
  type LocationOf,
  type LocationPath,
  type PresenceOf,
  type ProfileOf,
  type RoomTypesOf,
  type RouterLike,
} from './router-types.js'
export { createLocationClient, type LocationClientOptions } from './client.js'
export type { IfLocks, Lock, LockOptions, LockView, RoomLockMethods } from './locks/lock-types.js'
export { type ClientTransport } from './connection/transport.js'
export { type LocationClient } from './room/shared-rooms.js'
export { type BroadcastListening, type BroadcastOptions, type RoomBroadcasts } from './broadcasts/broadcast-api.js'
export {
  type JoinOptions,
  type Room,
  type RoomCore,
  type WatchedRoom,
  type WatchedRoomCore,
  type WatchOptions,
} from './room/room.js'
export { type BroadcastEvent } from './store/broadcast-event.js'
export { type PresencePatch } from './room/own-presence.js'
export { type RoomStatus } from './connection/room-status.js'
export { type MembersAtOptions } from './store/location-index.js'
export { type RoomEvents, type RoomSnapshot } from './store/store.js'
export { type Member, type MemberConnection } from './store/member.js'
