import { setTimeout as passing } from 'node:timers/promises'
import { pointLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'
import { liftedLimits, liftedTiming } from './lifted.mjs'
import { metered } from './meter.mjs'

// Pointers are presence values, and members may broadcast. LOOKUP_MS: how long the look-up of a session takes, for each request.
const { LOOKUP_MS } = process.env
const access = LOOKUP_MS
  ? {
      async identify({ ctx }) {
        await passing(Number(LOOKUP_MS))
        return { memberId: ctx.headers.get('x-member') ?? 'watcher' }
      },
      authorize: () => true,
    }
  : { anonymous: true }
const server = createLocationServer({
  location: pointLocation,
  presence: z.object({ pointer: pointLocation }).partial(),
  broadcasts: { wave: z.string() },
  ...access,
  limits: { ...liftedLimits, broadcastsPerSecond: 1_000, broadcastBurst: 1_000, roomBroadcastsPerSecond: 100_000 },
  timing: liftedTiming,
})
const { url } = await server.listen(0)
metered(url)
