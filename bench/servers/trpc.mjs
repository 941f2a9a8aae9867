import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express from 'express'
import { pointLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { liftedLimits, liftedTiming } from './lifted.mjs'
import { metered } from './meter.mjs'

// The router of Hereabouts, served by tRPC's own adapter, with pings as tRPC's guide recommends.
const t = initTRPC.create({ isDev: false, sse: { ping: { enabled: true, intervalMs: 2_000 } } })
const hub = createLocationHub({ location: pointLocation, limits: liftedLimits, timing: liftedTiming })
const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true }))
const app = express()
app.use('/trpc', createExpressMiddleware({ router }))
const server = app.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
