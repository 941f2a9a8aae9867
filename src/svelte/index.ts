/**
 * The Svelte stores.
 *
 * @module hereabouts/svelte
 */
export type { MaybeGetter } from '../bindings/maybe-getter.js'
export type { RoomOptions } from '../bindings/room-options.js'
export { shallow } from '../bindings/shallow.js'
export type { LockState, UsedLock } from '../bindings/used-lock.js'
export { type RoomStore } from './room-store.js'
export { createLocationStores, type BroadcastStores, type LocationStores, type RoomStores } from './stores.js'
export { useLock } from './use-lock.js'
