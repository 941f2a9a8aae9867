// @ts-check
// A server in its own process, so that a test can kill it, with its rooms in REDIS_URL. Prints its tRPC URL.
import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'

const { REDIS_URL = '', PORT = '0', SCALE = '1' } = process.env
// With SCALE=1 (real time) the options of the backend keep their defaults.
const haste = SCALE === '1' ? {} : { pulseMs: 50, timeoutMs: 250 }
const client = createClient({ url: REDIS_URL, socket: { reconnectStrategy: 50 } })
client.on('error', () => {})
await client.connect()
const server = createLocationServer({
  backend: redisBackend({ client, ...haste }),
  location: cellLocation,
  anonymous: true,
  timing: { scale: Number(SCALE) },
})
console.log((await server.listen(Number(PORT))).trpcUrl)
