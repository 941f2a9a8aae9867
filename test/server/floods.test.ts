import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as passing } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { raw } from '../support/raw.js'
import { newKey } from '../support/stock-client.js'
import { until } from '../support/until.js'

/* Callers who hold connections instead of using them. FLOOD=2000 is the size that we promise; in CI it is smaller. */

const size = Number(process.env['FLOOD'] ?? 300)
const json = { 'content-type': 'application/json' }
const body = () =>
  JSON.stringify({ room: 'healthy', location: { sheet: 'Q3', row: 1, col: 1 }, connectionKey: newKey() })

const opened = (port: number) => {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  return socket
}

/** How long healthy posts took while `isOver` was not yet true. */
async function postsUntil(url: string, isOver: () => boolean): Promise<number[]> {
  const tookMs = []
  for (let i = 0; i < 5 || !isOver(); i++) {
    const startedAt = performance.now()
    const { status } = await raw(`${url}/postLocation`, { method: 'POST', headers: json, body: body() })
    // Anonymous keys are new each time; the room is full some day, and says so.
    expect([200, 429]).toContain(status)
    tookMs.push(performance.now() - startedAt)
    await passing(20)
  }
  return tookMs
}

const slow: [string, (socket: Socket) => void][] = [
  ['say nothing', () => {}],
  ['send a head bit by bit', (socket) => void drip(socket, 'GET /trpc/getLocations HTTP/1.1\r\nhost: localhost\r\n')],
  [
    'send a body bit by bit',
    (socket) => {
      socket.write('POST /trpc/postLocation HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 8000\r\n\r\n') // prettier-ignore
      void drip(socket, '{"room": ')
    },
  ],
]

async function drip(socket: Socket, start: string) {
  socket.write(start)
  while (!socket.destroyed) {
    await passing(200)
    socket.write('x')
  }
}

describe(`${size} connections that`, () => {
  test.each(slow)(
    '%s are cut within the time that a request may take, and others do not notice',
    { timeout: 60_000 },
    async (_what, abuse) => {
      // The head in 10 seconds and all of it in 20, ten times as fast.
      await using server = await serveLocations({ timing: { requestMs: 2_000 } })
      let open = size
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
            open -= 1
            resolve()
          })
        })
      const posts = postsUntil(server.url, () => open === 0)
      const all = []
      for (let i = 0; i < size; i++) {
        all.push(held(opened(server.port)))
        // A few at a time: what a full backlog drops never was a connection of this server.
        if (i % 50 === 49) await passing(5)
      }
      await Promise.all(all)
      const tookMs = await posts
      expect(Math.max(...heldMs)).toBeLessThan(2_000 + 1_000 + 1_000)
      expect(tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length * 0.9)]).toBeLessThan(500)
    },
  )
})

test('more sockets than a server may have are closed before a byte is read', { timeout: 20_000 }, async () => {
  await using server = await serveLocations({ limits: { sockets: 20 } })
  const first = Array.from({ length: 20 }, () => opened(server.port))
  await Promise.all(first.map((socket) => once(socket, 'connect')))
  const late = opened(server.port)
  let heard = 0
  late.on('data', (bytes) => (heard += bytes.length)).write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await new Promise((resolve) => late.on('close', resolve))
  expect(heard).toBe(0)
  first[0]!.destroy()
  await until('there is room again', async () => (await raw(new URL('/livez', server.url).href, { agent: false }).catch(() => null))?.status === 200) // prettier-ignore
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
  `${size} streams that are opened and aborted, half of them with a reset, leave nothing behind`,
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
            // A third do not wait for an answer, a third for its head, a third for a snapshot.
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
