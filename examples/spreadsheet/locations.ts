import { createTRPCClient, httpLink } from '@trpc/client'
import { createLocationClient, type Member as AnyMember, type RoomTypesOf } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { AppRouter, Location, Profile } from './server.mjs'

export type { Location, Profile }
export type Member = AnyMember<RoomTypesOf<AppRouter>>

const url = new URL('/trpc', window.location.href)

export const client = createLocationClient<AppRouter>({ url })

/** The procedures of the demo itself: the values of the cells. */
export const api = createTRPCClient<AppRouter>({ links: [httpLink({ url })] })

const hooks = createLocationHooks(client)
export const {
  RoomProvider,
  useRoom,
  useOther,
  useSelf,
  usePost,
  useStatus,
  useRoomEvent,
  useSetPresence,
  useBroadcast,
  useOnBroadcast,
  useLock,
} = hooks

/** Returns the members without their presence values, so that a moving pointer causes no render. */
export const useMembers = () => hooks.useMembers(asTheyAre, areAlike)
/** Returns the other members without their presence values. */
export const useOthers = () => hooks.useOthers(asTheyAre, areAlike)

const asTheyAre = (members: readonly Member[]) => members
const areAlike = (before: readonly Member[], now: readonly Member[]) =>
  before.length === now.length && before.every((member, i) => isAlike(member, now[i]!))

function isAlike(before: Member, now: Member): boolean {
  return (
    before === now ||
    (before.memberId === now.memberId &&
      before.profile === now.profile &&
      before.location === now.location &&
      before.activity === now.activity &&
      isStale(before) === isStale(now))
  )
}

/** True for a member who has not been seen since the server restarted. */
export const isStale = ({ connections }: Pick<Member, 'connections'>) => connections.every(({ stale }) => stale)
