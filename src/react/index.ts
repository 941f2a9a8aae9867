'use client'

export { createLocationHooks, type LocationHooks } from './hooks.js'
export { type RoomProviderProps } from './provider.js'
export { shallow } from './shallow.js'
