import { createLocationClient, type Member as AnyMember, type RoomTypesOf } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { AppRouter, Location, Profile } from './server.mjs'

export type { Location, Profile }
export type Member = AnyMember<RoomTypesOf<AppRouter>>

export const client = createLocationClient<AppRouter>({ url: new URL('/trpc', window.location.href) })

export const { RoomProvider, useRoom, useMembers, useOthers, useSelf, usePost, useStatus, useRoomEvent } =
  createLocationHooks(client)
