'use client'

import { useCallback, useEffect, useRef, type ReactNode } from 'react'
import { shallow } from '../bindings/shallow.js'
import type { UsedLock } from '../bindings/used-lock.js'
import type {
  BroadcastEvent,
  IfLocks,
  LocationClient,
  Member,
  MembersAtOptions,
  PresencePatch,
  Room,
  RoomBroadcasts,
  RoomEvents,
  RoomStatus,
} from '../client/index.js'
import { createRoomContexts, useRoomHandle } from './context.js'
import { createRoomProvider, type RoomProviderProps } from './provider.js'
import { watchOnly, type RoomHandle } from './room-handle.js'
import { useRoomValue, useSelected } from './room-value.js'
import { useLockOf } from './use-lock.js'
import type { BroadcastName, IfBroadcasts } from '../shared/broadcast-types.js'
import type { RoomTypes } from '../shared/room-types.js'

/**
 * The provider and the hooks of one client. Every hook throws an Error outside of a `RoomProvider`. The hooks of features
 * that the router does not have are absent.
 */
export type LocationHooks<T extends RoomTypes> = RoomHooks<T> &
  ([T['profile']] extends [never] ? unknown : ProfileHooks<T>) &
  ([T['presence']] extends [never] ? unknown : PresenceHooks<T>) &
  IfBroadcasts<T, BroadcastHooks<T>> &
  IfLocks<T, LockHooks<T>>

/** The hooks of every client. */
export interface RoomHooks<T extends RoomTypes> {
  /** Joins a room for its children. Providers may be nested; each component uses the nearest. */
  RoomProvider(props: RoomProviderProps<T>): ReactNode
  /**
   * Returns the room, for its methods in effects and event handlers. It is the same object while the room is the same,
   * and never renders the component again: read the data that you render with the other hooks.
   */
  useRoom(): Room<T>
  /** Returns the other members. Renders again when one of them changes. */
  useOthers(): readonly Member<T>[]
  /**
   * Returns `select` of the other members. Renders again only when `isEqual` (default `Object.is`) tells the results apart.
   */
  useOthers<R>(select: (others: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): R
  /** Returns the `memberId`s of the other members: the same array while they are equal. */
  useOtherIds(): readonly string[]
  /** Returns all members including ourselves. `colorOf` takes this list. */
  useMembers(): readonly Member<T>[]
  /** Returns `select` of all members. Renders again only when `isEqual` (default `Object.is`) tells the results apart. */
  useMembers<R>(select: (members: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): R
  /** Returns one of the other members; `null` while that member is not in the room. */
  useOther(memberId: string): Member<T> | null
  /** Returns `select` of one of the other members; `null` while that member is not in the room. */
  useOther<R>(memberId: string, select: (other: Member<T>) => R, isEqual?: (a: R, b: R) => boolean): R | null
  /** Returns our own member; `null` until the server has told us who we are. */
  useSelf(): Member<T> | null
  /** Returns `select` of our own member; `null` until the server has told us who we are. */
  useSelf<R>(select: (self: Member<T>) => R, isEqual?: (a: R, b: R) => boolean): R | null
  /**
   * Returns a function that posts our location. It is the same function while the room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  usePost(): (location: T['location'] | null) => void
  /**
   * Returns all members at exactly this location, including ourselves: each member once, where the member is shown. With
   * `windows: 'all'`, also the members who have another window there.
   */
  useMembersAt(location: T['location'], options?: MembersAtOptions): readonly Member<T>[]
  /** Returns the state of the connection to the room. */
  useStatus(): RoomStatus
  /** Calls `listener` for each event of the room, always the listener of the latest render. */
  useRoomEvent<K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void): void
}

/** The hooks of a client whose router has a profile schema. */
export interface ProfileHooks<T extends RoomTypes> {
  /**
   * Returns a function that changes our profile; `null` removes it. It is the same function while the room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  useUpdateProfile(): (profile: T['profile'] | null) => void
}

/** The hooks of a client whose router has locks. */
export interface LockHooks<T extends RoomTypes> {
  /**
   * Returns who holds a place, and the functions `acquire` and `release`. `acquire` takes the place, also from another
   * window of ours, and resolves to `true` when the place is ours. The place is released when the component is
   * unmounted, and when the room or the place changes.
   *
   * @throws Error from `acquire` inside a provider with `watch`, and the errors of `room.lock`.
   */
  useLock(location: T['location']): UsedLock<T>
}

/** The hooks of a client whose router has broadcasts. */
export interface BroadcastHooks<T extends RoomTypes> {
  /**
   * Returns the function that sends a broadcast: `room.broadcast`. It is the same function while the room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  useBroadcast(): RoomBroadcasts<T>['broadcast']
  /** Calls `listener` for each broadcast of this name, always the listener of the latest render. */
  useOnBroadcast<K extends BroadcastName<T>>(name: K, listener: (event: BroadcastEvent<T, K>) => void): void
}

/** The hooks of a client whose router has a presence schema. */
export interface PresenceHooks<T extends RoomTypes> {
  /**
   * Returns a function that changes our presence value by key: `setPresence({ typing: true })`. It is the same function while the
   * room is the same.
   *
   * @throws Error inside a provider with `watch`.
   */
  useSetPresence(): (patch: PresencePatch<T['presence']>) => void
}

/** Creates the provider and the hooks for one client. Call it once, next to where the client is created. */
export function createLocationHooks<T extends RoomTypes>(client: LocationClient<T>): LocationHooks<T> {
  type Members = readonly Member<T>[]
  const contexts = createRoomContexts<T>()
  const useHandle = () => useRoomHandle(contexts)
  const useWritableRoom = () => {
    const { room, isWatching } = useHandle()
    if (isWatching) throw new Error(watchOnly)
    return room
  }

  const statusOf = (room: Room<T>) => room.status
  const membersOf = (room: Room<T>) => room.members
  const selfOf = (room: Room<T>) => room.self
  const othersOf = (room: Room<T>) => room.others
  const otherIdsOf = (room: Room<T>) => room.others.map(({ memberId }) => memberId)

  const hooks: RoomHooks<T> & ProfileHooks<T> & PresenceHooks<T> & BroadcastHooks<T> & LockHooks<T> = {
    RoomProvider: createRoomProvider(contexts, client),
    useRoom: () => useHandle().room,
    useOthers: <R>(select?: (others: Members) => R, isEqual?: (a: R, b: R) => boolean) =>
      useSelected(useHandle(), othersOf, select, isEqual) as R,
    useOtherIds: () => useRoomValue(useHandle(), otherIdsOf, shallow),
    useMembers: <R>(select?: (members: Members) => R, isEqual?: (a: R, b: R) => boolean) =>
      useSelected(useHandle(), membersOf, select, isEqual) as R,
    useOther<R>(memberId: string, select?: (other: Member<T>) => R, isEqual?: (a: R, b: R) => boolean) {
      const otherOf = useCallback((room: Room<T>) => room.other(memberId), [memberId])
      return useSelected(useHandle(), otherOf, select, isEqual)
    },
    useSelf: <R>(select?: (self: Member<T>) => R, isEqual?: (a: R, b: R) => boolean) =>
      useSelected(useHandle(), selfOf, select, isEqual),
    usePost() {
      const room = useWritableRoom()
      return useCallback((location: T['location'] | null) => room.post(location), [room])
    },
    useUpdateProfile() {
      const room = useWritableRoom()
      return useCallback((profile: T['profile'] | null) => room.update({ profile }), [room])
    },
    useSetPresence() {
      // Every room has `setPresence`. Without presence values in the router, it reports `misconfigured`.
      const room = useWritableRoom() as unknown as Room<RoomTypes>
      return useCallback((patch) => room.setPresence(patch as never), [room])
    },
    useMembersAt: (location, options) => useRoomValue(useHandle(), (room) => room.membersAt(location, options)),
    useStatus: () => useRoomValue(useHandle(), statusOf),
    useRoomEvent(event, listener) {
      const { room } = useHandle()
      const latest = useLatest(listener)
      useEffect(() => room.on(event, (detail) => latest.current(detail)), [room, event, latest])
    },
    ...broadcastHooks(useHandle, useWritableRoom),
    useLock: (location) => useLockOf(useHandle(), location),
  }
  return hooks
}

/** Returns a reference to the listener of the latest render. */
function useLatest<L>(listener: L): { readonly current: L } {
  const latest = useRef(listener)
  useEffect(() => {
    latest.current = listener
  })
  return latest
}

/** Creates the hooks of broadcasts. The arguments are hooks that find the room of the nearest provider. */
function broadcastHooks<T extends RoomTypes>(
  useHandle: () => RoomHandle<T>,
  useWritableRoom: () => Room<T>,
): BroadcastHooks<T> {
  const broadcastsOf = (room: Room<T>) => room as unknown as RoomBroadcasts<T>
  return {
    useBroadcast() {
      const room = broadcastsOf(useWritableRoom())
      return useCallback((...call) => room.broadcast(...call), [room])
    },
    useOnBroadcast(name, listener) {
      const room = broadcastsOf(useHandle().room)
      const latest = useLatest(listener)
      useEffect(() => room.onBroadcast(name, (event) => latest.current(event)), [room, name, latest])
    },
  }
}
