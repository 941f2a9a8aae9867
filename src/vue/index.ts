/**
 * The Vue composables.
 *
 * @module hereabouts/vue
 */
export type { RoomOptions } from '../bindings/room-options.js'
export { shallow } from '../bindings/shallow.js'
export type { LockState, UsedLock } from '../bindings/used-lock.js'
export {
  createLocationComposables,
  type BroadcastComposables,
  type LocationComposables,
  type RoomComposables,
} from './composables.js'
export { useLock } from './use-lock.js'
