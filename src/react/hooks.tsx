'use client'

import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
  type ReactNode,
} from 'react'
import type {
  LocationClient,
  LocationOf,
  LocationPath,
  Member,
  ProfileOf,
  Room,
  RoomEvents,
  RoomStatus,
  RouterLike,
} from '../client/index.js'
import { systemClock } from '../shared/clock.js'
import { emptySeat, type Seat } from './seat.js'
import { selection } from './selection.js'

export interface LocationProviderProps<L, P> {
  client: LocationClient<L, P>
  /** The room to be in while mounted. */
  room: string
  /** What others see of us; a change is shown to them. */
  profile?: P
  /** Where to be at first; from then on `usePost` says. */
  location?: L | null
  children?: ReactNode
}

export interface LocationHooks<L, P> {
  /** Joins a room for its children. Several may be nested; each child sees the nearest. */
  LocationProvider(props: LocationProviderProps<L, P>): ReactNode
  useRoom(): Room<L, P>
  /** Everybody else, or what `select` makes of them; renders again only when that changed. */
  useOthers(): readonly Member<L, P>[]
  useOthers<T>(select: (others: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean): T
  /** Everybody, ourselves too: whom `colorOf` wants to know of. */
  useMembers(): readonly Member<L, P>[]
  useMembers<T>(select: (members: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean): T
  /** One of the others, or what `select` makes of them; `null` while they are not here. */
  useOther(memberId: string): Member<L, P> | null
  useOther<T>(memberId: string, select: (other: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean): T | null
  /** `null` until the server has told who we are. */
  useSelf(): Member<L, P> | null
  useSelf<T>(select: (self: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean): T | null
  /** The same function for as long as the room is the same. */
  usePost(): (location: L | null) => void
  /** Everybody who is exactly there, ourselves too. */
  useWhoIsAt(location: L): readonly Member<L, P>[]
  useStatus(): RoomStatus
  useLocationEvent<K extends keyof RoomEvents<L, P>>(event: K, listener: (event: RoomEvents<L, P>[K]) => void): void
}

// On a server nothing is mounted, and React 18 warns of layout effects there.
const useMountEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect

/** The hooks for one app's router: call it once, next to where the client is made, and export what it returns. */
export function createLocationHooks<R extends RouterLike, Path extends string = LocationPath<R>>(): LocationHooks<
  LocationOf<R, Path>,
  ProfileOf<R, Path>
> {
  return hooksOf()
}

function hooksOf<L, P>(): LocationHooks<L, P> {
  const SeatContext = createContext<Seat<L, P> | null>(null)

  function LocationProvider({ children, ...attendance }: LocationProviderProps<L, P>) {
    const { client, room } = attendance
    // A new client needs a new seat, although the seat does not know it.
    // oxlint-disable-next-line react/exhaustive-deps
    const seat = useMemo(() => emptySeat<L, P>(room), [client, room])
    return (
      <SeatContext.Provider value={seat}>
        {/* Before the children: its effects run before theirs, so that theirs find the room joined. */}
        <Attendance {...attendance} seat={seat} />
        {children}
      </SeatContext.Provider>
    )
  }

  function Attendance({
    client,
    room: id,
    profile,
    location,
    seat,
  }: LocationProviderProps<L, P> & { seat: Seat<L, P> }) {
    const wanted = useRef({ profile, location })
    useMountEffect(() => {
      wanted.current = { profile, location }
    })
    useMountEffect(() => {
      const { profile, location } = wanted.current
      const room = client.join(id, {
        ...(profile !== undefined && { profile }),
        ...(location !== undefined && { location }),
      })
      seat.take(room)
      // StrictMode unmounts and mounts again at once: by the time this one leaves, the next has joined.
      return () => {
        systemClock.after(0, () => void room.leave())
      }
    }, [client, id, seat])
    useMountEffect(() => {
      if (profile !== undefined) seat.room.update({ profile })
    }, [profile, seat])
    return null
  }

  function useSeat() {
    const seat = useContext(SeatContext)
    if (!seat) throw new Error('There is no LocationProvider around this component.')
    return seat
  }

  function useRoomValue<T>(read: (room: Room<L, P>) => T, isEqual: (a: T, b: T) => boolean = Object.is): T {
    const { room, empty } = useSeat()
    const onScreen = useRef<{ value: T } | null>(null)
    const subscribe = useCallback((run: () => void) => room.subscribe(run), [room])
    // As React's own useSyncExternalStoreWithSelector: what is on the screen saves a render when `read` is a new closure.
    // oxlint-disable-next-line react/refs
    const get = useMemo(() => selection(room, read, isEqual, onScreen), [room, read, isEqual])
    // oxlint-disable-next-line react/refs
    const getOnServer = useMemo(() => selection(empty, read, isEqual, onScreen), [empty, read, isEqual])
    const value = useSyncExternalStore(subscribe, get, getOnServer)
    useEffect(() => {
      onScreen.current = { value }
    }, [value])
    return value
  }

  const statusOf = (room: Room<L, P>) => room.status
  const membersOf = (room: Room<L, P>) => room.members
  const selfOf = (room: Room<L, P>) => room.self
  const othersOf = (room: Room<L, P>) => room.others

  /** What `select` makes of one of the room's values; of `null`, `null`. */
  function useSelected<V, T>(
    of: (room: Room<L, P>) => V | null,
    select: ((value: V) => T) | undefined,
    isEqual: ((a: T, b: T) => boolean) | undefined,
  ): T | null {
    const read = useCallback(
      (room: Room<L, P>) => {
        const value = of(room)
        return value && (select ? select(value) : (value as unknown as T))
      },
      [of, select],
    )
    return useRoomValue<T | null>(read, isEqual && ((a, b) => a === b || (a !== null && b !== null && isEqual(a, b))))
  }

  return {
    LocationProvider,
    useRoom: () => useSeat().room,
    useOthers: <T,>(select?: (others: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(othersOf, select, isEqual) as T,
    useMembers: <T,>(select?: (members: readonly Member<L, P>[]) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(membersOf, select, isEqual) as T,
    useOther<T>(memberId: string, select?: (other: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean) {
      const otherIn = useCallback((room: Room<L, P>) => room.other(memberId), [memberId])
      return useSelected(otherIn, select, isEqual)
    },
    useSelf: <T,>(select?: (self: Member<L, P>) => T, isEqual?: (a: T, b: T) => boolean) =>
      useSelected(selfOf, select, isEqual),
    usePost() {
      const { room } = useSeat()
      return useCallback((location: L | null) => room.post(location), [room])
    },
    useWhoIsAt: (location) => useRoomValue((room) => room.at(location)),
    useStatus: () => useRoomValue(statusOf),
    useLocationEvent(event, listener) {
      const { room } = useSeat()
      const latest = useRef(listener)
      useEffect(() => {
        latest.current = listener
      })
      useEffect(() => room.on(event, (news) => latest.current(news)), [room, event])
    },
  }
}
