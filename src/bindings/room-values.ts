import type { Member, MembersAtOptions, Room, RoomBroadcasts, RoomEvents } from '../client/index.js'
import { sameJson } from '../client/store/same-json.js'
import type { BroadcastName } from '../shared/broadcast-types.js'
import type { RoomTypes } from '../shared/room-types.js'
import { attachTo, type KeptRoom } from './kept-room.js'
import type { MaybeGetter } from './maybe-getter.js'
import { steady } from './steady.js'

/** The functions that Vue, Svelte and Solid each implement in their own way. All are called while a component is set up. */
export interface Reactivity<T extends RoomTypes> {
  /** Returns the room of the nearest provider. @throws Error when there is none. */
  useKept(): KeptRoom<T>
  /**
   * Returns a reactive value of the framework that reads `get`. `get` returns the same object while the value is equal.
   */
  derive(kept: KeptRoom<T>, get: () => unknown): unknown
  /** Returns the present value of an argument. */
  read<V>(argument: MaybeGetter<V>): V
  /** Calls `run` when the component is unmounted. */
  onEnd(run: () => void): void
}

type Equal = (a: unknown, b: unknown) => boolean
type Select<V> = [select?: (value: V) => unknown, isEqual?: Equal]

/** Creates the functions that components call. The entry of each framework declares their types. */
export function roomValues<T extends RoomTypes>({ useKept, derive, read, onEnd }: Reactivity<T>) {
  const use = (get: (room: Room<T>) => unknown, isEqual: Equal = Object.is) => {
    const kept = useKept()
    return derive(
      kept,
      steady(() => get(kept.room()), isEqual),
    )
  }
  /** Uses the value of `get`, or `select` of that value; `null` while the value is `null`. */
  const useSelected = <V>(
    get: (room: Room<T>) => V | null,
    select = (value: V): unknown => value,
    isEqual: Equal = Object.is,
  ) =>
    use(
      (room) => {
        const value = get(room)
        return value && select(value)
      },
      (a, b) => a === b || (a !== null && b !== null && isEqual(a, b)),
    )
  const useAttached = (attach: (room: Room<T>) => () => void) => onEnd(attachTo(useKept(), attach))

  return {
    useRoom: () => use((room) => room),
    useStatus: () => use((room) => room.status),
    useSelf: (...select: Select<Member<T>>) => useSelected((room) => room.self, ...select),
    useOthers: (...select: Select<readonly Member<T>[]>) => useSelected((room) => room.others, ...select),
    useMembers: (...select: Select<readonly Member<T>[]>) => useSelected((room) => room.members, ...select),
    useOtherIds: () => use((room) => room.others.map(({ memberId }) => memberId), sameJson),
    useOther: (memberId: MaybeGetter<string>, ...select: Select<Member<T>>) =>
      useSelected((room) => room.other(read(memberId)), ...select),
    useMembersAt: (location: MaybeGetter<T['location']>, options?: MembersAtOptions) =>
      use((room) => room.membersAt(read(location), options)),
    useRoomEvent: <K extends keyof RoomEvents<T>>(event: K, listener: (event: RoomEvents<T>[K]) => void) =>
      useAttached((room) => room.on(event, listener)),
    useOnBroadcast: (name: BroadcastName<T>, listener: () => void) =>
      useAttached((room) => (room as unknown as RoomBroadcasts<T>).onBroadcast(name, listener)),
  }
}
