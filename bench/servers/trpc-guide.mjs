import { EventEmitter, on } from 'node:events'
import { initTRPC, tracked } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express from 'express'
import { pointLocation } from 'hereabouts'
import * as z from 'zod'
import { metered } from './meter.mjs'
import { Rooms } from './rooms.mjs'

// Written like the guide to tRPC's subscriptions, without Hereabouts: an EventEmitter, and a generator that yields its
// events.
const rooms = new Rooms()
const emitter = new EventEmitter().setMaxListeners(0)
const t = initTRPC.create({ isDev: false, sse: { ping: { enabled: true, intervalMs: 2_000 } } })
const post = z.object({ room: z.string(), connectionKey: z.string(), seq: z.int(), location: pointLocation })
const subscription = z.object({
  room: z.string(),
  connectionKey: z.string().optional(),
  lastEventId: z.string().nullish(),
})
let lastId = 0
const router = t.router({
  postLocation: t.procedure.input(post).mutation(({ input: { room, connectionKey: memberId, location } }) => {
    const update = { memberId, location }
    rooms.of(room).locations.set(memberId, update)
    emitter.emit(room, { id: String(++lastId), update })
  }),
  onLocation: t.procedure.input(subscription).subscription(async function* ({ input: { room }, signal }) {
    const heard = on(emitter, room, { signal })
    yield tracked(String(lastId), { type: 'snapshot', all: [...rooms.of(room).locations.values()] })
    for await (const [{ id, update }] of heard) yield tracked(id, update)
  }),
})
const app = express()
app.use('/trpc', createExpressMiddleware({ router }))
const server = app.listen(0, '127.0.0.1', () => metered(`http://127.0.0.1:${server.address().port}`))
