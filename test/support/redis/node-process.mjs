// @ts-check
// A server in a process of its own, to be killed: rooms in REDIS_URL. Says where it listens.
import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'

const { REDIS_URL = '', PORT = '0', SCALE = '1' } = process.env
// At the speed of life everything is as it is by default.
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
