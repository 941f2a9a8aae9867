import { pointLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'
import { liftedLimits, liftedTiming } from './lifted.mjs'
import { metered } from './meter.mjs'

const client = createClient({ url: process.env['REDIS_URL'] ?? '' })
client.on('error', () => {})
await client.connect()
const server = createLocationServer({
  backend: redisBackend({ client }),
  location: pointLocation,
  anonymous: true,
  limits: liftedLimits,
  timing: liftedTiming,
})
const { url } = await server.listen(0)
metered(url)
