import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, type Limits, type TimingOptions } from 'hereabouts/server'
import type { User } from './auth.guard.js'

/** The rooms, and the five procedures for the user that the guard authenticated. */
export function createLocations(options: { timing?: TimingOptions; limits?: Partial<Limits> } = {}) {
  const hub = createLocationHub({ location: cellLocation, ...options })
  const t = initTRPC.context<{ user: User }>().create({ isDev: false })
  const router = t.router(
    createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: ({ ctx }) => ({ memberId: ctx.user.id, profile: { name: ctx.user.name } }),
      // Every user may use every room, except rooms that begin with the name of another user.
      authorize: ({ member, room }) => !room.startsWith('@') || room.startsWith(`@${member.memberId}/`),
    }),
  )
  return { hub, router }
}

export type Locations = ReturnType<typeof createLocations>
/** The type for the client: `createLocationClient<AppRouter>({ url: '/trpc' })`. */
export type AppRouter = Locations['router']
