import { initTRPC } from '@trpc/server'
import { memberProfile } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { location } from './location.js'

export const server = createLocationServer({ location, profile: memberProfile, anonymous: true })
export type ServerRouter = typeof server.router

const t = initTRPC.context<{ user: string }>().create()
export const hub = createLocationHub({ location })
export const appRouter = t.router({
  version: t.procedure.query(() => 1),
  locations: createLocationRouter({
    hub,
    procedure: t.procedure,
    identify: ({ ctx }) => ({ memberId: ctx.user, profile: { name: ctx.user } }),
    authorize: ({ ctx, room }) => room.startsWith(ctx.user),
  }),
})
export type AppRouter = typeof appRouter
