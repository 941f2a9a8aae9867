'use client'

import { Suspense, useEffect, useLayoutEffect, useMemo, useRef, useSyncExternalStore, type ReactNode } from 'react'
import { joinRoom, leaveSoon } from '../bindings/join-room.js'
import { profileText } from '../bindings/profile-text.js'
import { rethrowLater } from '../bindings/rethrow-later.js'
import type { RoomOptions } from '../bindings/room-options.js'
import type { LocationClient } from '../client/index.js'
import type { RoomContexts } from './context.js'
import { RoomHandle } from './room-handle.js'
import type { RoomTypes } from '../shared/room-types.js'

/** The props of `RoomProvider`, which joins a room while it is mounted. */
export interface RoomProviderProps<T extends RoomTypes> extends RoomOptions<T> {
  /**
   * Shown until the room is loaded: the children suspend, and never see an empty room. If the room is refused, the error
   * goes to the error boundary around the provider. A server does not wait: without `initial` it renders the fallback.
   * Default: no fallback; the children render at once, in a room that is empty at first.
   */
  fallback?: ReactNode
  children?: ReactNode
}

const noSubscription = () => () => {}

// A layout effect. On a server, where nothing is mounted, a plain effect: React 18 warns about layout effects there.
export const useMountEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect

export function createRoomProvider<T extends RoomTypes>(
  { HandleContext, AwaitedContext }: RoomContexts<T>,
  defaultClient: LocationClient<T>,
): (props: RoomProviderProps<T>) => ReactNode {
  return function RoomProvider({ children, fallback, client = defaultClient, watch = false, ...options }) {
    const { room, initial } = options
    // A new client needs a new handle, although the handle does not know the client. `initial` is read once per room.
    // oxlint-disable-next-line react/exhaustive-deps
    const handle = useMemo(() => new RoomHandle<T>(room, initial, watch), [client, room, watch])
    // False on a server without `initial`, and in a browser until the page of that server is hydrated. With `initial`
    // it is always true, because React 18 discards a boundary that is updated before it is hydrated.
    const hasChildren = useSyncExternalStore(
      noSubscription,
      () => true,
      () => handle.hasInitial,
    )
    return (
      <HandleContext.Provider value={handle}>
        {/* Before the children, so that its effects run first and the room is joined when the children's effects run. */}
        <Membership {...options} client={client} watch={watch} handle={handle} />
        {fallback === undefined ? (
          children
        ) : hasChildren ? (
          // The boundary is inside the provider, which joins while the children suspend. Each handle has its own
          // boundary: otherwise a transition to another room would wait for the children, while the children wait for
          // the room, which is joined only after the transition.
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
    // React ends layout effects when a fallback hides a tree, and runs them again when the tree is shown. The room is
    // still joined then, and not joined twice.
    if (handle.isJoined) return
    handle.attach(joinRoom(client, { room: id, watch, ...latest.current }))
  }, [client, id, watch, handle])
  useEffect(() => () => leaveSoon(handle.detach()), [handle])
  const posted = useRef<RoomHandle<T> | null>(null)
  useMountEffect(() => {
    if (watch || (profile === undefined && posted.current !== handle)) return
    posted.current = profile === undefined ? null : handle
    rethrowLater(() => handle.room.update({ profile: profile ?? null }))
  }, [profileText(profile), watch, handle])
  return null
}
