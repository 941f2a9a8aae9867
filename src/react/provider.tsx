'use client'

import { Suspense, useEffect, useLayoutEffect, useMemo, useRef, useSyncExternalStore, type ReactNode } from 'react'
import type { LocationClient } from '../client/index.js'
import { systemClock } from '../shared/clock.js'
import type { GetLocationsOutput } from '../shared/call-types.js'
import type { RoomContexts } from './context.js'
import { RoomHandle } from './room-handle.js'
import type { RoomTypes } from '../shared/room-types.js'

/** The props of `RoomProvider`, which joins a room while it is mounted. */
export interface RoomProviderProps<T extends RoomTypes> {
  /** The room to join while mounted. */
  room: string
  /** The client to join with, for tests. Default: the one given to `createLocationHooks`. */
  client?: LocationClient<T>
  /**
   * The profile that others see of us. A change is posted; `null`, or no profile after one, takes it back. Not used with
   * `watch`.
   */
  profile?: T['profile'] | null | undefined
  /** Our location when the room is joined; afterwards `usePost` sets it. Default `null`. Not used with `watch`. */
  location?: T['location'] | null
  /**
   * Shows the room without joining it: we appear in nobody's list. `usePost` and `useUpdateProfile` then throw.
   * Default `false`.
   */
  watch?: boolean
  /** The answer of `getLocations` from the server that rendered the page: shown at once, and resumed from. */
  initial?: GetLocationsOutput<T>
  /**
   * Shown until the room is loaded: the children suspend, and never see an empty room. If the room is refused, the error
   * goes to the error boundary around the provider. A server does not wait: without `initial` it renders the fallback.
   * Default: no fallback; the children render at once, in a room that is empty at first.
   */
  fallback?: ReactNode
  children?: ReactNode
}

const noSubscription = () => () => {}

// Nothing is mounted on a server, and React 18 warns about layout effects there.
const useMountEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect

export function createRoomProvider<T extends RoomTypes>(
  { HandleContext, AwaitedContext }: RoomContexts<T>,
  defaultClient: LocationClient<T>,
): (props: RoomProviderProps<T>) => ReactNode {
  return function RoomProvider({ children, fallback, client = defaultClient, watch = false, ...options }) {
    const { room, initial } = options
    // A new client needs a new handle, although the handle does not know the client. `initial` is read once per room.
    // oxlint-disable-next-line react/exhaustive-deps
    const handle = useMemo(() => new RoomHandle<T>(room, initial, watch), [client, room, watch])
    // False on a server without `initial`, and in a browser until that page is hydrated. With `initial` it never changes:
    // React 18 discards a boundary that is updated before it is hydrated.
    const hasChildren = useSyncExternalStore(
      noSubscription,
      () => true,
      () => handle.hasInitial,
    )
    return (
      <HandleContext.Provider value={handle}>
        {/* Before the children: its effects run before theirs, so the room is joined when theirs run. */}
        <Membership {...options} client={client} watch={watch} handle={handle} />
        {fallback === undefined ? (
          children
        ) : hasChildren ? (
          // Inside the provider, which joins while the children suspend. Each handle has its own boundary: a transition to
          // another room would wait for its children, while they wait for a room that is joined after the transition.
          <Suspense key={handle.key} fallback={fallback}>
            <AwaitedContext.Provider value={handle}>{children}</AwaitedContext.Provider>
          </Suspense>
        ) : (
          fallback
        )}
      </HandleContext.Provider>
    )
  }
}

type MembershipProps<T extends RoomTypes> = Omit<RoomProviderProps<T>, 'children' | 'fallback'> & {
  client: LocationClient<T>
  watch: boolean
  handle: RoomHandle<T>
}

/** Joins the room when it is mounted, leaves it when it is unmounted, and posts changes of the profile. Renders nothing. */
function Membership<T extends RoomTypes>({
  client,
  room: id,
  watch,
  profile,
  location,
  initial,
  handle,
}: MembershipProps<T>) {
  const latest = useRef({ profile, location, initial })
  useMountEffect(() => {
    latest.current = { profile, location, initial }
  })
  useMountEffect(() => {
    // React ends layout effects when a fallback hides a tree, and starts them again when the tree is shown: the room is
    // still joined then.
    if (handle.isJoined) return
    const { profile, location, initial } = latest.current
    const resume = initial && { initial }
    if (watch) return handle.attach(client.watch(id, resume))
    const own = { ...(profile !== undefined && { profile }), ...(location !== undefined && { location }) }
    handle.attach(rethrowLater(() => client.join(id, { ...own, ...resume })) ?? client.join(id, resume))
  }, [client, id, watch, handle])
  useEffect(
    () => () => {
      const room = handle.detach()
      // StrictMode unmounts and mounts again at once: by the time this handle leaves, the next has joined.
      systemClock.after(0, () => void room.leave())
    },
    [handle],
  )
  const posted = useRef<RoomHandle<T> | null>(null)
  useMountEffect(() => {
    if (watch || (profile === undefined && posted.current !== handle)) return
    posted.current = profile === undefined ? null : handle
    rethrowLater(() => handle.room.update({ profile: profile ?? null }))
    // By its text: an object that was changed in place is another profile, and an equal one made by a new render is not.
  }, [textOf(profile), watch, handle])
  return null
}

function textOf(profile: unknown): unknown {
  try {
    return JSON.stringify(profile)
  } catch {
    // `update` reports it.
    return profile
  }
}

/**
 * Runs `run`. An exception is thrown again in a microtask, where the page's error handlers see it, so that a profile that
 * cannot be sent (with half an emoji, for example) does not unmount the page. Returns `undefined` then.
 */
function rethrowLater<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown
    })
    return undefined
  }
}
