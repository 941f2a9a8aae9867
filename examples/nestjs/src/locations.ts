import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, type Limits, type TimingOptions } from 'hereabouts/server'
import type { User } from './auth.guard.js'

/** The rooms, and the five procedures over the user whom the guard let in. */
export function createLocations(options: { timing?: TimingOptions; limits?: Partial<Limits> } = {}) {
  const hub = createLocationHub({ location: cellLocation, ...options })
  const t = initTRPC.context<{ user: User }>().create({ isDev: false })
  const router = t.router(
    createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: ({ ctx }) => ({ memberId: ctx.user.id, profile: { name: ctx.user.name } }),
      // Whose room is it? Here rooms are everyone's, except those that begin with somebody's name.
      authorize: ({ member, room }) => !room.startsWith('@') || room.startsWith(`@${member.memberId}/`),
    }),
  )
  return { hub, router }
}

export type Locations = ReturnType<typeof createLocations>
/** What a client is given: `createLocationClient<AppRouter>({ url: '/trpc' })`. */
export type AppRouter = Locations['router']
