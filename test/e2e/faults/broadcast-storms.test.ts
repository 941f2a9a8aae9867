import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { initTRPC } from '@trpc/server'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { ringSize } from '../../../src/server/rooms/broadcast-ring.js'
import { get, inputOf } from '../../support/network/raw-client.js'
import { until } from '../../support/until.js'

/* Many broadcasts to two readers, one of which does not read. */

const room = 'storm'
const noteBytes = 1_000

async function stormyRoom() {
  const hub = createLocationHub({
    location: z.string(),
    broadcasts: { note: z.string() },
    limits: { roomBroadcastsPerSecond: 1e9 },
    timing: { stallMs: 600_000, frameStallMs: 600_000 },
  })
  const t = initTRPC.create()
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true }))
  const server = createServer(createLocationMiddleware({ router, requestGuard: false }))
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await hub.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  /** Opens a stream. Resolves with both ends of its socket, and with the numbers of the notes that it receives. */
  const open = async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    onTestFinished(() => void socket.destroy())
    const notes: number[] = []
    let text = ''
    socket.on('data', (chunk: string) => {
      text += chunk
      let end = 0
      for (const {
        0: { length },
        1: note,
        index,
      } of text.matchAll(/"payload":"(\d+) /g)) {
        notes.push(Number(note))
        end = index + length
      }
      text = text.slice(end).slice(-2 * noteBytes)
    })
    const before = sockets.length
    socket.write(get(`/onLocation?${inputOf({ room })}`))
    await until('the stream is open', () => hasHello(text) && sockets.length > before)
    return { socket, notes, serverSide: sockets.at(-1)! }
  }
  return { hub, open }
}
const hasHello = (text: string) => text.includes('"type":"snapshot"') || text.includes('"type":"hello"')

test('a stream that is not read costs the server less memory than one ring of broadcasts, and resumes with the newest ones in order', async () => {
  const { hub, open } = await stormyRoom()
  const [reading, stalled] = [await open(), await open()]
  stalled.socket.pause()
  const padding = '-'.repeat(noteBytes - 10)
  let sent = 0
  let most = 0
  /** Sends as many broadcasts as half a ring holds, and waits until the reading stream has them. */
  const burst = async () => {
    for (let i = 0; i < ringSize / 2; i++) await hub.room(room).broadcast('note', `${sent++} ${padding}`)
    await until('the reading stream has them', () => reading.notes.at(-1) === sent - 1)
    most = Math.max(most, stalled.serverSide.writableLength)
  }
  // First fills the buffers of the operating system, and then sends four rings more.
  while (stalled.serverSide.writableLength === 0) await burst()
  for (let bursts = 0; bursts < 8; bursts++) await burst()
  expect(most).toBeLessThan(ringSize * noteBytes)

  stalled.socket.resume()
  await until('the reader has the newest', () => stalled.notes.at(-1) === sent - 1)
  expect(reading.notes).toEqual(Array.from({ length: sent }, (_, n) => n))
  expect(stalled.notes.length).toBeLessThan(sent)
  expect(stalled.notes).toEqual([...new Set(stalled.notes)].toSorted((a, b) => a - b))
  expect(stalled.notes.slice(-ringSize)).toEqual(reading.notes.slice(-ringSize))
})
