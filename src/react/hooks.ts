'use client'

import { useCallback, useEffect, useRef, type ReactNode } from 'react'
import type { LocationClient, Member, Room, RoomEvents, RoomStatus } from '../client/index.js'
import { createRoomContexts, useRoomHandle } from './context.js'
import { createRoomProvider, type RoomProviderProps } from './provider.js'
import { watchOnly } from './room-handle.js'
import { useRoomValue, useSelected } from './room-value.js'
import { shallow } from './shallow.js'

/** The provider and the hooks of one client. Every hook throws an Error outside of a `RoomProvider`. */
export interface LocationHooks<L, P> {
  /** Joins a room for its children. Providers may be nested; each component uses the nearest. */
  RoomProvider(props: RoomProviderProps<L, P>): ReactNode
  /**
   * Returns the room, for its methods in effects and event handlers. It is the same object while the room is the same, and
   * never renders the component again: read what you render with the other hooks.
   */
  useRoom(): Room<L, P>
  /** Returns the other members, or `select` of them. Renders again only when the result changes. */
  useOthers(): readonly Member<L, P>[]
  useOthers<T>(select: (others: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean): T
  /** Returns the `memberId`s of the other members: the same array while they are equal. */
  useOtherIds(): readonly string[]
  /** Returns all members including ourselves, or `select` of them. `colorOf` takes this list. */
  useMembers(): readonly Member<L, P>[]
  useMembers<T>(select: (members: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean): T
  /** Returns one of the other members, or `select` of it; `null` while that member is not in the room. */
  useOther(memberId: string): Member<L, P> | null
  useOther<T>(memberId: string, select: (other: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean): T | null
  /** Returns our own member, or `select` of it; `null` until the server has told us who we are. */
  useSelf(): Member<L, P> | null
  useSelf<T>(select: (self: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean): T | null
  /**
   * Returns a function that posts our location. It is the same function while the room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  usePost(): (location: L | null) => void
  /**
   * Returns a function that changes our profile; `null` takes it back. It is the same function while the room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  useUpdateProfile(): (profile: P | null) => void
  /** Returns all members at exactly this location, including ourselves. */
  useMembersAt(location: L): readonly Member<L, P>[]
  /** Returns the state of the connection to the room. */
  useStatus(): RoomStatus
  /** Calls `listener` for each event of the room, always the listener of the latest render. */
  useRoomEvent<K extends keyof RoomEvents<L, P>>(event: K, listener: (event: RoomEvents<L, P>[K]) => void): void
}

/** Creates the provider and the hooks for one client. Call it once, next to where the client is created. */
export function createLocationHooks<L, P>(client: LocationClient<L, P>): LocationHooks<L, P> {
  type Members = readonly Member<L, P>[]
  const contexts = createRoomContexts<L, P>()
  const useHandle = () => useRoomHandle(contexts)
  const useWritableRoom = () => {
    const { room, isWatching } = useHandle()
    if (isWatching) throw new Error(watchOnly)
    return room
  }

  const statusOf = (room: Room<L, P>) => room.status
  const membersOf = (room: Room<L, P>) => room.members
  const selfOf = (room: Room<L, P>) => room.self
  const othersOf = (room: Room<L, P>) => room.others
  const otherIdsOf = (room: Room<L, P>) => room.others.map(({ memberId }) => memberId)

  return {
    RoomProvider: createRoomProvider(contexts, client),
    useRoom: () => useHandle().room,
    useOthers: <T>(select?: (others: Members) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(useHandle(), othersOf, select, isEqual) as T,
    useOtherIds: () => useRoomValue(useHandle(), otherIdsOf, shallow),
    useMembers: <T>(select?: (members: Members) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(useHandle(), membersOf, select, isEqual) as T,
    useOther<T>(memberId: string, select?: (other: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean) {
      const otherOf = useCallback((room: Room<L, P>) => room.other(memberId), [memberId])
      return useSelected(useHandle(), otherOf, select, isEqual)
    },
    useSelf: <T>(select?: (self: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(useHandle(), selfOf, select, isEqual),
    usePost() {
      const room = useWritableRoom()
      return useCallback((location: L | null) => room.post(location), [room])
    },
    useUpdateProfile() {
      const room = useWritableRoom()
      return useCallback((profile: P | null) => room.update({ profile }), [room])
    },
    useMembersAt: (location) => useRoomValue(useHandle(), (room) => room.membersAt(location)),
    useStatus: () => useRoomValue(useHandle(), statusOf),
    useRoomEvent(event, listener) {
      const { room } = useHandle()
      const latest = useRef(listener)
      useEffect(() => {
        latest.current = listener
      })
      useEffect(() => room.on(event, (detail) => latest.current(detail)), [room, event])
    },
  }
}
