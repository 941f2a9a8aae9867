// @ts-check
// One of the two servers: that of the spreadsheet, with its rooms in Redis. Only the backend option differs.
import { fileURLToPath } from 'node:url'
import { cellLocation, memberProfile, rangeLocation } from 'hereabouts'
import { createLocationServer, drainOnSignals } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'
import * as z from 'zod'

const { REDIS_URL = 'redis://127.0.0.1:6379', PORT = '3001' } = process.env

const client = createClient({ url: REDIS_URL })
client.on('error', (error) => console.error(`node ${PORT}: Redis: ${error.message}`))
await client.connect()

const server = createLocationServer({
  backend: redisBackend({ client }),
  location: z.union([cellLocation, rangeLocation]),
  profile: memberProfile.extend({ bot: z.boolean().optional() }),
  anonymous: true,
  static: fileURLToPath(new URL('../spreadsheet/dist', import.meta.url)),
  timing: { drainMs: 2_000 },
  logger: console,
})
await server.listen(Number(PORT))
drainOnSignals(server, () => console.log(`node ${PORT}: draining`))
console.log(`node ${PORT}: pid ${process.pid}`)
