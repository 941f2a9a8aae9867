import { initTRPC, TRPCError } from '@trpc/server'
import { createExpressMiddleware, type CreateExpressContextOptions } from '@trpc/server/adapters/express'
import express from 'express'
import superjson from 'superjson'
import * as z from 'zod'
import { signIn, userOf } from '../src/sessions.js'

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

export function createApp() {
  const router = t.router({
    signIn: t.procedure.input(z.object({ name: z.string().min(1).max(32) })).mutation(({ ctx, input }) => {
      ctx.res.cookie('session', signIn(input.name), { httpOnly: true, sameSite: 'lax' })
      return { since: new Date() }
    }),
    docs: t.router({
      mine: signedIn.query(({ ctx }) => new Set(ctx.user.documents)),
      upload: signedIn.input(z.instanceof(FormData)).mutation(async ({ input }) => {
        const file = input.get('file')
        if (!(file instanceof File)) throw new TRPCError({ code: 'BAD_REQUEST', message: 'Send a file.' })
        return { name: file.name, bytes: (await file.arrayBuffer()).byteLength }
      }),
    }),
  })
  const app = express()
  app.use('/trpc', createExpressMiddleware({ router, createContext }))
  return { app, router }
}
export type AppRouter = ReturnType<typeof createApp>['router']
