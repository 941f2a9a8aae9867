'use client'

export { createLocationHooks, type LocationHooks, type RoomProviderProps } from './hooks.js'
