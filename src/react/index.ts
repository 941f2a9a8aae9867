'use client'

export { createLocationHooks, type LocationHooks, type LocationProviderProps } from './hooks.js'
