'use client'

import { createContext, useContext, type Context } from 'react'
import type { RoomHandle } from './room-handle.js'

/** Contexts by which components find the room of the nearest provider. Each set of hooks has its own. */
export interface RoomContexts<L, P> {
  /** The room of the nearest provider. */
  readonly HandleContext: Context<RoomHandle<L, P> | null>
  /** The room of the nearest provider with a `fallback`. Its children suspend until that room is loaded. */
  readonly AwaitedContext: Context<RoomHandle<L, P> | null>
}

export function createRoomContexts<L, P>(): RoomContexts<L, P> {
  return {
    HandleContext: createContext<RoomHandle<L, P> | null>(null),
    AwaitedContext: createContext<RoomHandle<L, P> | null>(null),
  }
}

/**
 * Returns the handle of the nearest provider's room, and suspends if that provider has a `fallback` and its room is not
 * loaded. A provider without a fallback makes nobody wait, even inside one that has a fallback.
 */
export function useRoomHandle<L, P>({ HandleContext, AwaitedContext }: RoomContexts<L, P>): RoomHandle<L, P> {
  const handle = useContext(HandleContext)
  if (!handle) throw new Error('There is no RoomProvider around this component.')
  if (useContext(AwaitedContext) === handle) handle.wait()
  return handle
}
