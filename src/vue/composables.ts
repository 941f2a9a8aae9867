import {
  computed,
  getCurrentInstance,
  inject,
  onActivated,
  onDeactivated,
  onScopeDispose,
  provide,
  shallowRef,
  toValue,
  watch,
  type ComputedRef,
  type MaybeRefOrGetter,
} from 'vue'
import { keepRoom, readOptions, type KeptRoom } from '../bindings/kept-room.js'
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
 * The composables of one client. All but `provideRoom` throw an Error where no component has provided a room. The
 * composables of features that the router does not have are absent.
 */
export type LocationComposables<T extends RoomTypes> = RoomComposables<T> & IfBroadcasts<T, BroadcastComposables<T>>

/** The composables of every client. */
export interface RoomComposables<T extends RoomTypes> {
  /**
   * Joins a room for this component and the components below it, until this component is unmounted. Leaves the room
   * while `<KeepAlive>` keeps this component hidden. The options may be reactive, and their profile deeply: when `room`
   * changes, another room is joined, and when the profile changes, it is posted. On a server nothing is joined.
   */
  provideRoom(options: MaybeRefOrGetter<RoomOptions<T>>): ComputedRef<Room<T>>
  /**
   * Returns the room, for its methods: `room.value.post(location)`, `setPresence`, `update`, `broadcast`. The value
   * changes only when another room is provided: read the data that you render with the other composables.
   */
  useRoom(): ComputedRef<Room<T>>
  /** Returns the other members. */
  useOthers(): ComputedRef<readonly Member<T>[]>
  /** Returns `select` of the other members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useOthers<R>(select: (others: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): ComputedRef<R>
  /** Returns the `memberId`s of the other members: the same array while they are equal. */
  useOtherIds(): ComputedRef<readonly string[]>
  /** Returns all members including ourselves. `colorOf` takes this list. */
  useMembers(): ComputedRef<readonly Member<T>[]>
  /** Returns `select` of all members. It changes when `isEqual` (default `Object.is`) tells the results apart. */
  useMembers<R>(select: (members: readonly Member<T>[]) => R, isEqual?: (a: R, b: R) => boolean): ComputedRef<R>
  /** Returns one of the other members; `null` while that member is not in the room. */
  useOther(memberId: MaybeRefOrGetter<string>): ComputedRef<Member<T> | null>
  /** Returns `select` of one of the other members; `null` while that member is not in the room. */
  useOther<R>(
    memberId: MaybeRefOrGetter<string>,
    select: (other: Member<T>) => R,
    isEqual?: (a: R, b: R) => boolean,
  ): ComputedRef<R | null>
  /** Returns our own member; `null` until the server has told us who we are. */
  useSelf(): ComputedRef<Member<T> | null>
  /** Returns `select` of our own member; `null` until the server has told us who we are. */
  useSelf<R>(select: (self: Member<T>) => R, isEqual?: (a: R, b: R) => boolean): ComputedRef<R | null>
  /**
   * Returns all members at exactly this location, including ourselves: each member once, where the member is shown. With
   * `windows: 'all'`, also the members who have another window there.
   */
  useMembersAt(location: MaybeRefOrGetter<T['location']>, options?: MembersAtOptions): ComputedRef<readonly Member<T>[]>
  /** Returns the state of the connection to the room. */
  useStatus(): ComputedRef<RoomStatus>
  /** Calls `listener` for each event of the room, until the component is unmounted. */
  useRoomEvent<K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void): void
}

/** The composables of a client whose router has broadcasts. `useRoom().value.broadcast` sends one. */
export interface BroadcastComposables<T extends RoomTypes> {
  /** Calls `listener` for each broadcast of this name, until the component is unmounted. */
  useOnBroadcast<K extends BroadcastName<T>>(name: K, listener: (event: BroadcastEvent<T, K>) => void): void
}

/** Creates the composables for one client. Call it once, next to where the client is created. */
export function createLocationComposables<T extends RoomTypes>(client: LocationClient<T>): LocationComposables<T> {
  type Provided = KeptRoom<T> & { track(): void }
  const key = Symbol('room')
  /** The room that each component provides. Vue's `inject` does not find what the same component provided. */
  const provided = new WeakMap<object, Provided>()

  const values = roomValues<T>({
    useKept() {
      const instance = getCurrentInstance()
      const kept = (instance && provided.get(instance)) ?? inject<Provided | null>(key, null)
      if (!kept) throw new Error('Call provideRoom in a component above this one.')
      return kept
    },
    derive: (kept, get) =>
      computed(() => {
        ;(kept as Provided).track()
        return get()
      }),
    read: toValue,
    onEnd: onScopeDispose,
  })
  const provideRoom = (options: MaybeRefOrGetter<RoomOptions<T>>) => {
    const kept = keepRoom(client)
    const version = shallowRef({})
    const room: Provided = { ...kept, track: () => void version.value }
    kept.subscribe(() => (version.value = {}))
    provided.set(getCurrentInstance()!, room)
    provide(key, room)

    const isHidden = shallowRef(false)
    onActivated(() => (isHidden.value = false))
    onDeactivated(() => (isHidden.value = true))
    watch(
      () => (isHidden.value ? null : readOptions(toValue(options))),
      (now) => (now ? kept.follow(now) : kept.leave()),
      { immediate: true },
    )
    onScopeDispose(kept.leave)
    return values.useRoom()
  }
  return { ...values, provideRoom } as unknown as LocationComposables<T>
}
