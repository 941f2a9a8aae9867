// @ts-check
// A server with locks and broadcasts in its own process, which drains on SIGTERM. Prints its tRPC URL.
// TIMING: the timing options as JSON. REDIS_URL: the Redis of the rooms; without it, rooms are in memory.
import { cellLocation } from 'hereabouts'
import { createLocationServer, drainOnSignals } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'
import * as z from 'zod'

const { REDIS_URL, PORT = '0', TIMING = '{}' } = process.env
const client = REDIS_URL ? createClient({ url: REDIS_URL, socket: { reconnectStrategy: 50 } }) : null
client?.on('error', () => {})
await client?.connect()
const server = createLocationServer({
  location: cellLocation,
  locks: true,
  broadcasts: { note: z.string() },
  identify: ({ ctx }) => ({ memberId: ctx.headers.get('x-member') ?? 'nobody' }),
  authorize: () => true,
  timing: JSON.parse(TIMING),
  ...(client && { backend: redisBackend({ client }) }),
})
const { trpcUrl } = await server.listen(Number(PORT))
drainOnSignals(server)
console.log(trpcUrl)
