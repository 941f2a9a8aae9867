/**
 * The React hooks and the provider.
 *
 * @module hereabouts/react
 */
'use client'

export {
  createLocationHooks,
  type LocationHooks,
  type PresenceHooks,
  type ProfileHooks,
  type RoomHooks,
} from './hooks.js'
export { type RoomProviderProps } from './provider.js'
export { shallow } from './shallow.js'
