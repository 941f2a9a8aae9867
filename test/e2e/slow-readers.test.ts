import { connect } from 'node:net'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { dataOf, mutation, query } from '../support/http.js'
import { newKey } from '../support/stock-client.js'
import { until } from '../support/until.js'

/* A reader that does not read costs the server one frame, and after a while its patience. */

const room = 'slow'

/** A room of some weight: a connection whose locations are large. */
async function busyRoom(stallMs: number) {
  const server = await serveLocations({
    location: z.object({ n: z.int(), text: z.string() }),
    timing: { stallMs, frameStallMs: 60_000, leaseMs: 300_000 },
    limits: { postsPerSecond: 1e6, postBurst: 1e6, locationBytes: 300_000, bodyBytes: 400_000 },
  })
  const connectionKey = newKey()
  const text = 'x'.repeat(250_000)
  let n = 0
  const move = () => mutation(server.url, 'postLocation', { room, connectionKey, location: { n: (n += 1), text } })
  await move()
  return { server, move, [Symbol.asyncDispose]: () => server.close() }
}

/** A stream on a socket of its own, which is read or not. */
function reader(port: number) {
  const socket = connect(port, '127.0.0.1')
  const seen = { text: '', bytes: 0, isClosed: false }
  socket.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length
    seen.text = (seen.text + chunk.toString()).slice(-400_000)
  })
  socket.on('close', () => (seen.isClosed = true)).on('error', () => {})
  socket.write(`GET /trpc/onLocation?input=%7B%22room%22%3A%22${room}%22%7D HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  return { socket, seen, [Symbol.dispose]: () => void socket.destroy() }
}

test('one that pauses is owed a single frame, and then has everything', { timeout: 60_000 }, async () => {
  await using busy = await busyRoom(60_000)
  using quick = reader(busy.server.port)
  using slow = reader(busy.server.port)
  await until('both have the snapshot', () => [quick, slow].every(({ seen }) => seen.text.includes('"snapshot"')))
  slow.socket.pause()
  // More than the buffers between two sockets of one machine hold.
  while (quick.seen.bytes < 25_000_000) await busy.move()
  const { id } = dataOf<{ id: string }>(await query(busy.server.url, 'getLocations', { room }))
  await until('the quick one has it all', () => quick.seen.text.includes(`id: ${id}`))
  slow.socket.resume()
  await until('the slow one has it all', () => slow.seen.text.includes(`id: ${id}`))
  expect(slow.seen.isClosed).toBe(false)
  expect(slow.seen.bytes).toBeLessThan(0.75 * quick.seen.bytes)
})

test('one that takes no byte for too long is cut, and nobody else is', { timeout: 60_000 }, async () => {
  await using busy = await busyRoom(300)
  using quick = reader(busy.server.port)
  using slow = reader(busy.server.port)
  await until('both have the snapshot', () => [quick, slow].every(({ seen }) => seen.text.includes('"snapshot"')))
  slow.socket.pause()
  while (quick.seen.bytes < 25_000_000) await busy.move()
  const end = performance.now() + 1_000
  while (performance.now() < end) await busy.move()
  slow.socket.resume()
  await until('the slow one finds itself cut', () => slow.seen.isClosed)
  expect(quick.seen.isClosed).toBe(false)
})
