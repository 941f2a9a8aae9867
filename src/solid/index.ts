/**
 * The Solid primitives and the provider.
 *
 * @module hereabouts/solid
 */
export type { MaybeGetter } from '../bindings/maybe-getter.js'
export type { RoomOptions } from '../bindings/room-options.js'
export { shallow } from '../bindings/shallow.js'
export type { LockState, UsedLock } from '../bindings/used-lock.js'
export {
  createLocationPrimitives,
  type BroadcastPrimitives,
  type LocationPrimitives,
  type RoomPrimitives,
} from './primitives.js'
export { useLock } from './use-lock.js'
