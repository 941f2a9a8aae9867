import {
  createComponent,
  createComputed,
  createContext,
  createMemo,
  createSignal,
  onCleanup,
  splitProps,
  untrack,
  useContext,
  type Accessor,
  type JSX,
  type ParentProps,
} from 'solid-js'
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

/**
 * The provider and the primitives of one client. Every primitive throws an Error outside of a `RoomProvider`. The
 * primitives of features that the router does not have are absent.
 */
export type LocationPrimitives<T extends RoomTypes> = RoomPrimitives<T> & IfBroadcasts<T, BroadcastPrimitives<T>>

/** The primitives of every client. */
export interface RoomPrimitives<T extends RoomTypes> {
  /**
   * Joins a room for its children, until it is disposed. When `room` changes, another room is joined; when `profile`
   * changes, it is posted. On a server nothing is joined. Providers may be nested; each component uses the nearest.
   */
  RoomProvider(props: ParentProps<RoomOptions<T>>): JSX.Element
  /**
   * Returns the room, for its methods: `room().post(location)`, `setPresence`, `update`, `broadcast`. The value changes
   * only when the provider joins another room: read the data that you render with the other primitives.
   */
  useRoom(): Accessor<Room<T>>
  /** Returns the other members. */
  useOthers(): Accessor<readonly Member<T>[]>
  /** Returns `select` of the other members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useOthers<R>(select: (others: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): Accessor<R>
  /** Returns the `memberId`s of the other members: the same array while they are equal. */
  useOtherIds(): Accessor<readonly string[]>
  /** Returns all members including ourselves. `colorOf` takes this list. */
  useMembers(): Accessor<readonly Member<T>[]>
  /** Returns `select` of all members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useMembers<R>(select: (members: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): Accessor<R>
  /** Returns one of the other members; `null` while that member is not in the room. */
  useOther(memberId: MaybeGetter<string>): Accessor<Member<T> | null>
  /** Returns `select` of one of the other members; `null` while that member is not in the room. */
  useOther<R>(
    memberId: MaybeGetter<string>,
    select: (other: Member<T>) => R,
    isEqual?: (a: R, b: R) => boolean,
  ): Accessor<R | null>
  /** Returns our own member; `null` until the server has told us who we are. */
  useSelf(): Accessor<Member<T> | null>
  /** Returns `select` of our own member; `null` until the server has told us who we are. */
  useSelf<R>(select: (self: Member<T>) => R, isEqual?: (a: R, b: R) => boolean): Accessor<R | null>
  /**
   * Returns all members at exactly this location, including ourselves: each member once, where the member is shown. With
   * `windows: 'all'`, also the members who have another window there.
   */
  useMembersAt(location: MaybeGetter<T['location']>, options?: MembersAtOptions): Accessor<readonly Member<T>[]>
  /** Returns the state of the connection to the room. */
  useStatus(): Accessor<RoomStatus>
  /** Calls `listener` for each event of the room, until the component is disposed. */
  useRoomEvent<K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void): void
}

/** The primitives of a client whose router has broadcasts. `useRoom()().broadcast` sends one. */
export interface BroadcastPrimitives<T extends RoomTypes> {
  /** Calls `listener` for each broadcast of this name, until the component is disposed. */
  useOnBroadcast<K extends BroadcastName<T>>(name: K, listener: (event: BroadcastEvent<T, K>) => void): void
}

/** Creates the provider and the primitives for one client. Call it once, next to where the client is created. */
export function createLocationPrimitives<T extends RoomTypes>(client: LocationClient<T>): LocationPrimitives<T> {
  type Provided = KeptRoom<T> & { track(): void }
  const Context = createContext<Provided>()
  const values = roomValues<T>({
    useKept() {
      const kept = useContext(Context)
      if (!kept) throw new Error('There is no RoomProvider around this component.')
      return kept
    },
    derive: (kept, get) =>
      createMemo(() => {
        ;(kept as Provided).track()
        return get()
      }),
    read: valueOf,
    onEnd: onCleanup,
  })
  const RoomProvider = (props: ParentProps<RoomOptions<T>>) => {
    const kept = keepRoom(client)
    const [track, changed] = createSignal<void>(undefined, { equals: false })
    const [, options] = splitProps(props, ['children'])
    createComputed(() => {
      const now = readOptions(options)
      untrack(() => kept.follow(now))
    })
    kept.subscribe(() => changed())
    onCleanup(kept.leave)
    return createComponent(Context.Provider, {
      value: { ...kept, track },
      get children() {
        return props.children
      },
    })
  }
  return { ...values, RoomProvider } as unknown as LocationPrimitives<T>
}
