// @ts-check
// One of the two servers: the server of the spreadsheet, with its rooms and its cells in Redis.
import { fileURLToPath } from 'node:url'
import { drainOnSignals } from 'hereabouts/server/standalone'
import { redisBackend } from 'hereabouts/server/redis'
import { createClient } from 'redis'
import { createSheetServer } from '../spreadsheet/server.mjs'
import { redisCells } from './redis-cells.mjs'

const { REDIS_URL = 'redis://127.0.0.1:6379', PORT = '3001' } = process.env

const client = createClient({ url: REDIS_URL })
client.on('error', (error) => console.error(`node ${PORT}: Redis: ${error.message}`))
await client.connect()

const page = fileURLToPath(new URL('../spreadsheet/dist', import.meta.url))
const server = createSheetServer(
  page,
  { drainMs: 2_000 },
  { backend: redisBackend({ client }), cells: redisCells(client), logger: console },
)
await server.listen(Number(PORT))
drainOnSignals(server, () => console.log(`node ${PORT}: draining`))
console.log(`node ${PORT}: pid ${process.pid}`)
