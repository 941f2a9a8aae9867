'use client'

import { createContext, useContext, type Context } from 'react'
import type { RoomHandle } from './room-handle.js'
import type { RoomTypes } from '../shared/room-types.js'

/** Contexts by which components find the room of the nearest provider. Each set of hooks has its own. */
export interface RoomContexts<T extends RoomTypes> {
  /** The room of the nearest provider. */
  readonly HandleContext: Context<RoomHandle<T> | null>
  /** The room of the nearest provider with a `fallback`. Its children suspend until that room is loaded. */
  readonly AwaitedContext: Context<RoomHandle<T> | null>
}

export function createRoomContexts<T extends RoomTypes>(): RoomContexts<T> {
  return {
    HandleContext: createContext<RoomHandle<T> | null>(null),
    AwaitedContext: createContext<RoomHandle<T> | null>(null),
  }
}

/**
 * Returns the handle of the nearest provider's room, and suspends if that provider has a `fallback` and its room is not
 * loaded. A provider without a `fallback` does not suspend its children, even inside a provider that has one.
 */
export function useRoomHandle<T extends RoomTypes>({ HandleContext, AwaitedContext }: RoomContexts<T>): RoomHandle<T> {
  const handle = useContext(HandleContext)
  if (!handle) throw new Error('There is no RoomProvider around this component.')
  if (useContext(AwaitedContext) === handle) handle.wait()
  return handle
}
