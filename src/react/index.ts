/**
 * The React hooks and the provider.
 *
 * @module hereabouts/react
 */
'use client'

export type { LockState, UsedLock } from './use-lock.js'
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
export { shallow } from './shallow.js'
