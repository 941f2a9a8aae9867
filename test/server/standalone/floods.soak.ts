import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as passing } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { serveLocations } from 'hereabouts/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { built } from '../../support/built.js'
import { healthyClient, type Health } from '../../support/clients/healthy-client.js'
import { loneServer } from '../../support/servers/lone-server.js'
import { raw } from '../../support/network/raw.js'
import { inputOf, rawClient } from '../../support/network/raw-client.js'
import { slowProxy } from '../../support/network/slow-proxy.js'
import { newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * Tests clients that hold connections without using them. docs/security.md promises that 2,000 of them do no harm:
 * `npm run soak:server` tests this in real time. In CI there are fewer connections, and durations are a tenth.
 */

const isSoak = process.env['SOAK'] !== undefined
const size = isSoak ? 2_000 : 300
// In CI fewer than `size`: each reader fills megabytes of buffers, in this process and in the kernel.
const readers = isSoak ? 2_000 : 100
const scale = isSoak ? 1 : 0.1
const requestMs = 20_000 * scale
/** A 99th percentile below this many milliseconds depends on the machine, not on the server. */
const floorMs = isSoak ? 20 : 500

beforeAll(() => built('package'), 120_000)

const opened = (port: number) => {
  const socket = connect({ port, host: '127.0.0.1' })
  // Data that is not read would hide that the server closed the connection.
  socket.on('error', () => {}).resume()
  return socket
}

const slow: [string, (socket: Socket) => void][] = [
  ['send nothing', () => {}],
  ['send a head byte by byte', (socket) => void drip(socket, 'GET /trpc/getLocations HTTP/1.1\r\nhost: localhost\r\n')],
  [
    'send a body byte by byte',
    (socket) => {
      socket.write('POST /trpc/postLocation HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 8000\r\n\r\n') // prettier-ignore
      void drip(socket, '{"room": ')
    },
  ],
]

async function drip(socket: Socket, start: string) {
  socket.write(start)
  while (!socket.destroyed) {
    await passing(requestMs / 20)
    socket.write('x')
  }
}

/** Opens connections a few at a time, so that the server's backlog drops none of them before they are accepted. */
async function crowd<T>(count: number, open: () => T): Promise<T[]> {
  const all = []
  for (let i = 0; i < count; i++) {
    all.push(open())
    if (i % 50 === 49) await passing(5)
  }
  return all
}

/** Returns how healthy clients are served before the flood, after a warm-up. */
async function usualOf(others: ReturnType<typeof healthyClient>) {
  await passing(500)
  await others.health()
  await passing(1_000)
  return others.health()
}

function expectUnharmed(usual: Health, then: Health, what: string, heldMs: number) {
  if (isSoak) console.log(`${what}: cut after ${(heldMs / 1_000).toFixed(1)} s; a post of others took ${usual.p99.toFixed(1)} ms at p99 before, ${then.p99.toFixed(1)} ms then`) // prettier-ignore
  expect(then.statuses).toEqual([])
  // Outside the soak, other tests run at the same time and distort durations, so only statuses are compared.
  if (isSoak) expect(then.p99).toBeLessThan(Math.max(2 * usual.p99, floorMs))
}

describe(`${size} slow connections`, () => {
  test.each(slow)(
    'connections that %s are cut within timing.requestMs, and other clients are not slowed down',
    { timeout: 120_000 },
    async (what, abuse) => {
      await using server = await loneServer({ timing: { requestMs } })
      await using others = healthyClient(server.url)
      const usual = await usualOf(others)
      const heldMs: number[] = []
      const held = (socket: Socket) =>
        new Promise<void>((resolve) => {
          let since = 0
          socket.on('connect', () => {
            since = performance.now()
            abuse(socket)
          })
          socket.on('close', () => {
            heldMs.push(performance.now() - since)
            resolve()
          })
        })
      const all = await crowd(size, () => held(opened(server.port)))
      await Promise.all(all)
      const then = await others.health()
      const longest = Math.max(...heldMs)
      expect(longest).toBeLessThan(isSoak ? requestMs : 2 * requestMs)
      expectUnharmed(usual, then, `${size} that ${what}`, longest)
    },
  )
})

test(`${readers} stalled streams are cut, and other clients are not slowed down`, { timeout: 120_000 }, async () => {
  const timing = { stallMs: 10_000 * scale, frameStallMs: 60_000 * scale, leaseMs: 300_000 }
  await using server = await loneServer({ timing })
  await using others = healthyClient(server.url)
  const usual = await usualOf(others)
  const sockets = await crowd(readers, () => {
    const socket = opened(server.port).pause()
    socket.write(`GET /trpc/onLocation?${inputOf({ room: 'stirred' })} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    return socket
  })
  await until('all streams are open', async () => (await server.report()).readings.streams === readers)
  // Repeats until the server sends no more bytes: every buffer between server and client is full then.
  for (let bytes = -1, now = 0; now > bytes;) [bytes, now] = [now, (await server.stir()).readings.bytes]
  const fullAt = performance.now()
  await others.health()
  await until('all streams are cut', async () => (await server.report()).readings.streams === 0, 60_000)
  const heldMs = performance.now() - fullAt
  const then = await others.health()
  for (const socket of sockets) socket.destroy()
  expect(heldMs).toBeLessThan(20_000 * scale)
  expectUnharmed(usual, then, `${readers} that read nothing`, heldMs)
})

/** Pipelined requests whose answers the client does not read. */
const unread: [string, (input: string) => string][] = [
  ['queries of a large room', () => ask(`getLocations?${inputOf({ room: 'stirred' })}`).repeat(100)],
  ['pages that do not exist', () => ask('../nothing').repeat(100)],
  ['streams', () => ask(`onLocation?${inputOf({ room: 'stirred' })}`).repeat(6)],
  ['queries of a large room as JSON lines', () => ask(`getLocations,getLocations?batch=1&${inputOf({ 0: { room: 'stirred' }, 1: { room: 'stirred' } })}`, 'trpc-accept: application/jsonl\r\n').repeat(100)],
] // prettier-ignore
const ask = (path: string, headers = '') => `GET /trpc/${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`
const floods = isSoak ? 50 : 10

/** Simulates a phone on a slow network that reads a stream of the large room as fast as it can. */
async function slowPhone(port: number) {
  const network = await slowProxy(port, isSoak ? 30_000 : 200_000)
  const client = rawClient(network.port)
  client.send(ask(`onLocation?${inputOf({ room: 'stirred' })}`))
  return {
    isServed: () => !client.isClosed && client.received.includes('"type":"snapshot"'),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]()
      await network[Symbol.asyncDispose]()
    },
  }
}

describe(`${floods} sockets that pipeline requests and read nothing`, () => {
  test.each(unread)('floods of %s cost no memory and harm no client', { timeout: 120_000 }, async (what, requests) => {
    const timing = { stallMs: 10_000 * scale, frameStallMs: 60_000 * scale, leaseMs: 300_000 }
    const limits = { readBurst: 1e6, readsPerSecond: 1e6, streamBurst: 1e6 }
    await using server = await loneServer({ timing, limits })
    await server.stir()
    await using others = healthyClient(server.url)
    await using phone = await slowPhone(server.port)
    const usual = await usualOf(others)
    const [heap, { handles }] = [await server.heapUsed(), await server.report()]
    const sockets = Array.from({ length: floods }, () => opened(server.port).pause())
    for (const socket of sockets) socket.write(requests(''))
    await passing(500)
    const grown = (await server.heapUsed()) - heap
    // An unread stream is cut only when its buffers are full, and changes of the room fill them.
    if (what === 'streams') for (let i = 0; i < 40; i++) await server.stir()
    await others.health()
    const since = performance.now()
    // Short answers fit into the buffers of the kernel. The sockets then count as idle connections and are not cut.
    const isShort = /exist|JSON lines/.test(what)
    if (isShort) await passing(timing.stallMs)
    else await until('the server has cut all', async () => (await server.report()).handles <= handles, 40_000 * scale)
    const heldMs = performance.now() - since
    const then = await others.health()
    for (const socket of sockets) socket.destroy()
    if (isSoak) console.log(`${floods} sockets, ${what}: heap ${(grown / 1e6).toFixed(1)} MB more`)
    expect(grown).toBeLessThan(20e6)
    expect(heldMs).toBeLessThan(20_000)
    expect([phone.isServed(), then.statuses]).toEqual([true, []])
    // In CI, a few seconds on a shared machine are too short to measure a 99th percentile.
    if (isSoak) expectUnharmed(usual, then, `${what} that nobody reads`, heldMs)
  })
})

test(
  'two callers who query a large room without a pause do not slow the median post of other clients',
  { timeout: 60_000 },
  async () => {
    await using server = await loneServer({ limits: { readBurst: 1e6, readsPerSecond: 1e6 } })
    await server.stir()
    await using others = healthyClient(server.url)
    const usual = await usualOf(others)
    let isOver = false
    let answers = 0
    const callers = Array.from({ length: 2 }, async () => {
      while (!isOver) {
        const response = await fetch(`${server.url}/getLocations?${inputOf({ room: 'stirred' })}`)
        await response.arrayBuffer()
        answers += Number(response.ok)
      }
    })
    await passing(isSoak ? 10_000 : 2_000)
    const then = await others.health()
    isOver = true
    await Promise.all(callers)
    if (isSoak) console.log(`${answers} queries of a large room: a post of others took ${usual.p50.toFixed(1)} ms in the median before, ${then.p50.toFixed(1)} ms then`) // prettier-ignore
    expect(answers).toBeGreaterThan(10)
    expect(then.statuses).toEqual([])
    expect(then.p50).toBeLessThan(Math.max(3 * usual.p50, isSoak ? 20 : 200))
  },
)

test('a socket above limits.sockets is closed without an answer', { timeout: 20_000 }, async () => {
  await using server = await serveLocations({ limits: { sockets: 20 } })
  const first = Array.from({ length: 20 }, () => opened(server.port))
  await Promise.all(first.map((socket) => once(socket, 'connect')))
  const late = opened(server.port)
  let heard = 0
  late.on('data', (bytes) => (heard += bytes.length)).write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await new Promise((resolve) => late.on('close', resolve))
  expect(heard).toBe(0)
  first[0]!.destroy()
  await until('a socket is accepted again', async () => (await raw(new URL('/livez', server.url).href, { agent: false }).catch(() => null))?.status === 200) // prettier-ignore
  for (const socket of first) socket.destroy()
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function heapUsed() {
  for (let i = 0; i < 4; i++) {
    await passing(20)
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}
const openHandles = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|Pipe/.test(kind)).length

test(
  `${size} streams that are opened and aborted, half of them with a reset, leak no memory and no handles`,
  { timeout: 120_000 },
  async () => {
    await using server = await serveLocations({
      timing: { closedMs: 100, tombstoneMs: 500, sweepMs: 50, beatMs: 1_000 },
    })
    const input = encodeURIComponent(JSON.stringify({ room: 'r', connectionKey: newKey() }))
    const abuse = async (times: number) => {
      for (let done = 0; done < times; done += 50) {
        const sockets = Array.from({ length: 50 }, () => opened(server.port))
        await Promise.all(
          sockets.map(async (socket, i) => {
            socket.write(`GET /trpc/onLocation?input=${input} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
            // A third of the clients abort before the answer, a third at its first bytes, and a third 5 ms later.
            if (i % 3 > 0) await once(socket, 'data')
            if (i % 3 > 1) await passing(5)
            if (i % 2) socket.resetAndDestroy()
            else socket.destroy()
          }),
        )
      }
      await until('no stream is left', () => server.server.hub.health() === 'ready' && readings().streams === 0)
    }
    const readings = () => (server.hub as unknown as { readings(): { streams: number; rooms: number } }).readings()
    await abuse(size)
    await until('the room is gone', () => readings().rooms === 0)
    const [heap, handles] = [await heapUsed(), openHandles()]
    await abuse(size)
    await until('the room is gone', () => readings().rooms === 0)
    await until('the sockets are gone', () => openHandles() <= handles)
    expect((await heapUsed()) - heap).toBeLessThan(2e6)
  },
)
