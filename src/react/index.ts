/**
 * The React hooks and the provider.
 *
 * @module hereabouts/react
 */
'use client'

export type { RoomOptions } from '../bindings/room-options.js'
export type { LockState, UsedLock } from '../bindings/used-lock.js'
export {
  createLocationHooks,
  type BroadcastHooks,
  type LocationHooks,
  type LockHooks,
  type PresenceHooks,
  type ProfileHooks,
  type RoomHooks,
} from './hooks.js'
export { type RoomProviderProps } from './provider.js'
export { shallow } from '../bindings/shallow.js'
