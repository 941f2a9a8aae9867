// npm run soak: opens and closes streams for a long time and prints how the memory of the server process grows.
//
//   npm run soak                         2,000 streams, 10 minutes
//   npm run soak -- --streams 200 --minutes 1
import { fork } from 'node:child_process'
import { request } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const self = fileURLToPath(import.meta.url)
if (process.send) await serve()
else await soak()

/** The server process. It answers each message with its memory usage. */
async function serve() {
  const { serveLocations } = await import('../dist/testing/index.js')
  const limits = { postBurst: 1e9, postsPerSecond: 1e9, roomConnections: 1e6 }
  const server = await serveLocations({ limits, timing: { tombstoneMs: 5_000, requestMs: 4_000, closedMs: 1_000 } })
  process.on('message', () => {
    globalThis.gc()
    process.send(process.memoryUsage())
  })
  process.on('disconnect', () => process.exit())
  process.send({ url: server.url })
}

async function soak() {
  const { values } = parseArgs({
    options: { streams: { type: 'string', default: '2000' }, minutes: { type: 'string', default: '10' } },
  })
  const streams = Number(values.streams)
  const endsAt = performance.now() + Number(values.minutes) * 60_000
  const server = fork(self, { execArgv: ['--expose-gc'] })
  const nextMessage = () => new Promise((resolve) => server.once('message', resolve))
  const { url } = await nextMessage()
  const rooms = Math.ceil(streams / 50)
  let opened = 0
  const slots = Array.from({ length: streams }, async (_, slot) => {
    await passing((slot / streams) * 5_000)
    while (performance.now() < endsAt) {
      await stream(url, `room ${slot % rooms}`, 2_000 + Math.random() * 20_000)
      opened += 1
    }
  })
  const samples = []
  while (performance.now() < endsAt) {
    await passing(5_000)
    server.send('memory')
    const { rss, heapUsed } = await nextMessage()
    samples.push({ minute: samples.length / 12, rssMb: rss / 1e6, heapMb: heapUsed / 1e6 })
    const [rssMb, heapMb] = [rss, heapUsed].map((bytes) => (bytes / 1e6).toFixed(1))
    console.log(`${opened} streams opened and closed · rss ${rssMb} MB · heap ${heapMb} MB`)
  }
  await Promise.all(slots)
  // The first third of the samples is left out as warm-up.
  const settled = samples.slice(Math.floor(samples.length / 3))
  const slope = (of) => slopeOf(settled.map((sample) => [sample.minute, of(sample)])).toFixed(2)
  console.log(
    `slope: rss ${slope(({ rssMb }) => rssMb)} MB a minute, heap ${slope(({ heapMb }) => heapMb)} MB a minute`,
  )
  server.disconnect()
}

/** Opens one stream and posts once. Closes or resets the stream after `lifeMs`. */
function stream(url, room, lifeMs) {
  const connectionKey = Array.from({ length: 22 }, () => 'abcdefghij'[Math.floor(Math.random() * 10)]).join('')
  const input = encodeURIComponent(JSON.stringify({ room, connectionKey }))
  return new Promise((resolve) => {
    const asked = request(`${url}/onLocation?input=${input}`, { agent: false }, (response) => response.resume())
    asked
      .on('error', () => {})
      .on('close', resolve)
      .end()
    post(url, room, connectionKey)
    setTimeout(() => (Math.random() < 0.5 ? asked.destroy() : asked.socket?.resetAndDestroy()), lifeMs)
  })
}

function post(url, room, connectionKey) {
  const location = { sheet: 'Q3', row: Math.floor(Math.random() * 99), col: 1 }
  const headers = { 'content-type': 'application/json' }
  request(`${url}/postLocation`, { method: 'POST', headers, agent: false }, (response) => response.resume())
    .on('error', () => {})
    .end(JSON.stringify({ room, connectionKey, location }))
}

/** Returns the slope of a least-squares fit. */
function slopeOf(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)]
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}
