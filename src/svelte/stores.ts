import { getContext, onDestroy, setContext } from 'svelte'
import { keepRoom, readOptions, type KeptRoom } from '../bindings/kept-room.js'
import { valueOf, type MaybeGetter } from '../bindings/maybe-getter.js'
import type { RoomOptions } from '../bindings/room-options.js'
import { roomValues } from '../bindings/room-values.js'
import type {
  BroadcastEvent,
  LocationClient,
  Member,
  MembersAtOptions,
  Room,
  RoomEvents,
  RoomStatus,
} from '../client/index.js'
import type { BroadcastName, IfBroadcasts } from '../shared/broadcast-types.js'
import type { RoomTypes } from '../shared/room-types.js'
import { createRoomStore, follow, type RoomStore } from './room-store.js'

/**
 * The stores of one client. Call the functions while a component is initialized. All but `provideRoom` throw an Error
 * where no component has provided a room. The functions of features that the router does not have are absent.
 */
export type LocationStores<T extends RoomTypes> = RoomStores<T> & IfBroadcasts<T, BroadcastStores<T>>

/** The stores of every client. */
export interface RoomStores<T extends RoomTypes> {
  /**
   * Joins a room for this component and the components below it, until this component is destroyed. The options may be
   * a function that reads state: when `room` changes, another room is joined, and when the profile changes, it is
   * posted. On a server nothing is joined.
   */
  provideRoom(options: MaybeGetter<RoomOptions<T>>): RoomStore<Room<T>>
  /**
   * Returns the room, for its methods: `room.current.post(location)`, `setPresence`, `update`, `broadcast`. The value
   * changes only when another room is provided: read the data that you render with the other stores.
   */
  useRoom(): RoomStore<Room<T>>
  /** Returns the other members. */
  useOthers(): RoomStore<readonly Member<T>[]>
  /** Returns `select` of the other members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useOthers<R>(select: (others: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): RoomStore<R>
  /** Returns the `memberId`s of the other members: the same array while they are equal. */
  useOtherIds(): RoomStore<readonly string[]>
  /** Returns all members including ourselves. `colorOf` takes this list. */
  useMembers(): RoomStore<readonly Member<T>[]>
  /** Returns `select` of all members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useMembers<R>(select: (members: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): RoomStore<R>
  /** Returns one of the other members; `null` while that member is not in the room. */
  useOther(memberId: MaybeGetter<string>): RoomStore<Member<T> | null>
  /** Returns `select` of one of the other members; `null` while that member is not in the room. */
  useOther<R>(
    memberId: MaybeGetter<string>,
    select: (other: Member<T>) => R,
    isEqual?: (a: R, b: R) => boolean,
  ): RoomStore<R | null>
  /** Returns our own member; `null` until the server has told us who we are. */
  useSelf(): RoomStore<Member<T> | null>
  /** Returns `select` of our own member; `null` until the server has told us who we are. */
  useSelf<R>(select: (self: Member<T>) => R, isEqual?: (a: R, b: R) => boolean): RoomStore<R | null>
  /**
   * Returns all members at exactly this location, including ourselves: each member once, where the member is shown. With
   * `windows: 'all'`, also the members who have another window there.
   */
  useMembersAt(location: MaybeGetter<T['location']>, options?: MembersAtOptions): RoomStore<readonly Member<T>[]>
  /** Returns the state of the connection to the room. */
  useStatus(): RoomStore<RoomStatus>
  /** Calls `listener` for each event of the room, until the component is destroyed. */
  useRoomEvent<K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void): void
}

/** The stores of a client whose router has broadcasts. `useRoom().current.broadcast` sends one. */
export interface BroadcastStores<T extends RoomTypes> {
  /** Calls `listener` for each broadcast of this name, until the component is destroyed. */
  useOnBroadcast<K extends BroadcastName<T>>(name: K, listener: (event: BroadcastEvent<T, K>) => void): void
}

/** Creates the stores for one client. Call it once, next to where the client is created. */
export function createLocationStores<T extends RoomTypes>(client: LocationClient<T>): LocationStores<T> {
  const key = Symbol('room')
  const values = roomValues<T>({
    useKept() {
      const kept = getContext<KeptRoom<T> | undefined>(key)
      if (!kept) throw new Error('Call provideRoom in a component above this one.')
      return kept
    },
    derive: ({ subscribe }, get) => createRoomStore(subscribe, get),
    read: valueOf,
    onEnd: onDestroy,
  })
  const provideRoom = (options: MaybeGetter<RoomOptions<T>>) => {
    const kept = setContext(key, keepRoom(client))
    const stop = follow(() => readOptions(valueOf(options)), kept.follow)
    onDestroy(() => {
      stop()
      kept.leave()
    })
    return values.useRoom()
  }
  return { ...values, provideRoom } as unknown as LocationStores<T>
}
