import { setTimeout as passing } from 'node:timers/promises'
import { pointLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import * as z from 'zod'
import { liftedLimits, liftedTiming } from './lifted.mjs'
import { metered } from './meter.mjs'

// A server with presence values (the pointers) and broadcasts. When LOOKUP_MS is set, `identify` waits that many
// milliseconds at each request, like the look-up of a session.
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
