import { initTRPC, TRPCError } from '@trpc/server'
import type { CreateExpressContextOptions } from '@trpc/server/adapters/express'
import express from 'express'
import { cellLocation, textLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import type { Limits, TimingOptions } from 'hereabouts/server'
import superjson from 'superjson'
import * as z from 'zod'
import { mayOpen, signIn, userOf, type User } from '../src/sessions.js'

const createContext = ({ req, res }: CreateExpressContextOptions) => ({ user: userOf(req.headers.cookie), res })
const t = initTRPC.context<typeof createContext>().create({
  transformer: superjson,
  errorFormatter: ({ shape, error }) => ({
    ...shape,
    data: { ...shape.data, issues: error.cause instanceof z.ZodError ? error.cause.issues : null },
  }),
})

const signedIn = t.procedure.use(({ ctx, next }) => {
  if (!ctx.user) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'Sign in first.' })
  return next({ ctx: { user: ctx.user } })
})

type Asking = { ctx: { user: User } }
const identify = ({ ctx }: Asking) => ({ memberId: ctx.user.id, profile: { name: ctx.user.name } })
const authorize = ({ ctx, room }: Asking & { room: string }) => mayOpen(ctx.user, room)

export function createApp(options: { timing?: TimingOptions; limits?: Partial<Limits> } = {}) {
  const sheets = createLocationHub({ location: cellLocation, ...options })
  const texts = createLocationHub({ location: textLocation, ...options })
  const router = t.router({
    locations: createLocationRouter({ hub: sheets, procedure: signedIn, identify, authorize }),
    signIn: t.procedure.input(z.object({ name: z.string().min(1).max(32) })).mutation(({ ctx, input }) => {
      ctx.res.cookie('session', signIn(input.name), { httpOnly: true, sameSite: 'lax' })
      return { since: new Date() }
    }),
    docs: t.router({
      locations: createLocationRouter({ hub: texts, procedure: signedIn, identify, authorize }),
      mine: signedIn.query(({ ctx }) => new Set(ctx.user.documents)),
      upload: signedIn.input(z.instanceof(FormData)).mutation(async ({ input }) => {
        const file = input.get('file')
        if (!(file instanceof File)) throw new TRPCError({ code: 'BAD_REQUEST', message: 'Send a file.' })
        return { name: file.name, bytes: (await file.arrayBuffer()).byteLength }
      }),
    }),
  })
  const app = express()
  app.use('/trpc', createLocationMiddleware({ router, createContext }))
  return { app, router, sheets, texts }
}
export type AppRouter = ReturnType<typeof createApp>['router']
