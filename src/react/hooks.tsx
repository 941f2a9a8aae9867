'use client'

import {
  createContext,
  Suspense,
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
import type { GetLocationsOutput } from '../shared/call-types.js'
import { createRoomHandle, type RoomHandle } from './room-handle.js'
import { snapshotSelector } from './snapshot-selector.js'

export interface RoomProviderProps<L, P> {
  client: LocationClient<L, P>
  /** The room to be in while mounted. */
  room: string
  /** What others see of us; a change is shown to them. */
  profile?: P
  /** Where to be at first; from then on `usePost` says. */
  location?: L | null
  /** What `getLocations` answered while the page was made on a server: rendered there, shown here, and resumed from. */
  initial?: GetLocationsOutput<L, P>
  /**
   * Shown until the room is there: its children wait (Suspense), and never see a room that is not. The error of a room
   * that is refused goes to the error boundary around the provider. A server waits for nobody: unless there is
   * `initial`, this is what it renders. Without a fallback children are rendered at once, at first in an empty room.
   */
  fallback?: ReactNode
  children?: ReactNode
}

export interface LocationHooks<L, P> {
  /** Joins a room for its children. Several may be nested; each child sees the nearest. */
  RoomProvider(props: RoomProviderProps<L, P>): ReactNode
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
  useMembersAt(location: L): readonly Member<L, P>[]
  useStatus(): RoomStatus
  useRoomEvent<K extends keyof RoomEvents<L, P>>(event: K, listener: (event: RoomEvents<L, P>[K]) => void): void
}

const noChange = () => () => {}

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
  const SeatContext = createContext<RoomHandle<L, P> | null>(null)
  /** The seat that whoever is below waits for; a provider without a fallback has another, and nobody waits for that. */
  const AwaitedContext = createContext<RoomHandle<L, P> | null>(null)

  function RoomProvider({ children, fallback, ...attendance }: RoomProviderProps<L, P>) {
    const { client, room } = attendance
    // A new client needs a new seat, although the seat does not know it; and what a server said, it said once.
    // oxlint-disable-next-line react/exhaustive-deps
    const seat = useMemo(() => createRoomHandle(room, attendance.initial), [client, room])
    // False on a server that was told nothing, and in a browser until it has made that server's page its own. Where it was
    // told, nothing changes then: React 18 would give up on a boundary that is updated before it is hydrated.
    const hasChildren = useSyncExternalStore(
      noChange,
      () => true,
      () => seat.isTold,
    )
    return (
      <SeatContext.Provider value={seat}>
        {/* Before the children: its effects run before theirs, so that theirs find the room joined. */}
        <Attendance {...attendance} seat={seat} />
        {fallback === undefined ? (
          children
        ) : hasChildren ? (
          // Inside of the provider, which joins while they wait. Another seat has another boundary: a transition to it
          // would wait for the children, and they for the room that is joined when the transition is done.
          <Suspense key={seat.key} fallback={fallback}>
            <AwaitedContext.Provider value={seat}>{children}</AwaitedContext.Provider>
          </Suspense>
        ) : (
          fallback
        )}
      </SeatContext.Provider>
    )
  }

  function Attendance({
    client,
    room: id,
    profile,
    location,
    initial,
    seat,
  }: RoomProviderProps<L, P> & { seat: RoomHandle<L, P> }) {
    const wanted = useRef({ profile, location, initial })
    useMountEffect(() => {
      wanted.current = { profile, location, initial }
    })
    useMountEffect(() => {
      // Layout effects end when a tree is hidden behind a fallback, and begin again when it is shown: nobody has left.
      if (seat.isTaken) return
      const { profile, location, initial } = wanted.current
      const told = initial && { initial }
      const own = { ...(profile !== undefined && { profile }), ...(location !== undefined && { location }) }
      seat.take(spared(() => client.join(id, { ...own, ...told })) ?? client.join(id, told))
    }, [client, id, seat])
    useEffect(
      () => () => {
        const room = seat.free()
        // StrictMode unmounts and mounts again at once: by the time this one leaves, the next has joined.
        systemClock.after(0, () => void room.leave())
      },
      [seat],
    )
    useMountEffect(() => {
      if (profile !== undefined) spared(() => seat.room.update({ profile }))
    }, [profile, seat])
    return null
  }

  function useSeat() {
    const seat = useContext(SeatContext)
    if (!seat) throw new Error('There is no RoomProvider around this component.')
    if (useContext(AwaitedContext) === seat) seat.wait()
    return seat
  }

  function useRoomValue<T>(read: (room: Room<L, P>) => T, isEqual: (a: T, b: T) => boolean = Object.is): T {
    const { room, still } = useSeat()
    const onScreen = useRef<{ value: T } | null>(null)
    const subscribe = useCallback((run: () => void) => room.subscribe(run), [room])
    // As React's own useSyncExternalStoreWithSelector: what is on the screen saves a render when `read` is a new closure.
    // oxlint-disable-next-line react/refs
    const get = useMemo(() => snapshotSelector(room, read, isEqual, onScreen), [room, read, isEqual])
    // oxlint-disable-next-line react/refs
    const getOnServer = useMemo(() => snapshotSelector(still, read, isEqual, onScreen), [still, read, isEqual])
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
    RoomProvider: RoomProvider,
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
    useMembersAt: (location) => useRoomValue((room) => room.membersAt(location)),
    useStatus: () => useRoomValue(statusOf),
    useRoomEvent(event, listener) {
      const { room } = useSeat()
      const latest = useRef(listener)
      useEffect(() => {
        latest.current = listener
      })
      useEffect(() => room.on(event, (news) => latest.current(news)), [room, event])
    },
  }
}

/** A name that cannot be sent (half an emoji, say) is an error of the app, but no reason to take its page away. */
function spared<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
    return undefined
  }
}
