/**
 * Schemas, types and pure functions that servers and clients share: `import { colorOf } from 'hereabouts'`.
 *
 * @module hereabouts
 */
export { systemClock, type Clock } from './clock.js'
export type {
  BroadcastItem,
  BroadcastItemBase,
  BroadcastName,
  Broadcasts,
  BroadcastsOf,
  BroadcastToRoomInput,
  BroadcastToRoomOutput,
  IfBroadcasts,
} from './broadcast-types.js'
export { colorOf } from './colors.js'
export { LocationError, type LocationErrorCode } from './errors.js'
export {
  cellLocation,
  memberProfile,
  pointLocation,
  rangeLocation,
  textLocation,
  type CellLocation,
  type MemberProfile,
  type PointLocation,
  type RangeLocation,
  type TextLocation,
} from './locations.js'
export type {
  CountMembersInput,
  CountMembersOutput,
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  LeaveRoomOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
  PostOutcome,
} from './call-types.js'
export type { Activity, ByeReason, Changed, Connection, Left, LeftReason, LocationEvent, Tracked } from './events.js'
export type {
  ConnectionLock,
  LockHolder,
  LockLocationInput,
  LockLocationOutput,
  UnlockLocationInput,
  UnlockLocationOutput,
} from './lock-types.js'
export type { RoomTypes, RoomTypesWith } from './room-types.js'
export type {
  BroadcastSchemas,
  OptionalBroadcasts,
  Out,
  Schema,
  Unchanged,
  UnchangedBroadcasts,
} from './schema-types.js'
export { locationEvent, type RoomSchemas } from './wire-schemas.js'
export { applyEvent, forgetStale, View, type Applied, type Shift } from './view.js'
