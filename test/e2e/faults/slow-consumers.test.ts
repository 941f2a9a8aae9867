import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { initTRPC } from '@trpc/server'
import { applyEvent, View, type LocationEvent } from 'hereabouts'
import {
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  type TimingOptions,
} from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Hub } from '../../../src/server/hub/hub.js'
import { posting } from '../../support/histories.js'
import { get, inputOf } from '../../support/network/raw-client.js'
import { slowProxy } from '../../support/network/slow-proxy.js'
import { newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'
import type { RoomTypesWith } from 'hereabouts'

/* A stalled consumer costs the server one pending frame and is cut after a time limit. A slow consumer is served. */

const room = 'slow'
type Place = { n: number; text: string }

/** Starts a server whose sockets the test can inspect, with a large room. */
async function busyRoom(timing: TimingOptions, { members = 1, bytes = 250_000 } = {}) {
  const place = z.object({ n: z.int(), text: z.string() })
  const hub = createLocationHub({ location: place, timing: { frameStallMs: 60_000, leaseMs: 300_000, ...timing } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub gave a hub that is not a Hub')
  const t = initTRPC.create()
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true }))
  const server = createServer(createLocationMiddleware({ router, requestGuard: false }))
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('close', () => sockets.delete(socket))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const text = 'x'.repeat(bytes)
  let n = 0
  const moveOf = (member: number) =>
    hub.act(room, posting(`connection-${member}`, (n += 1), { n, text }, { memberId: `m${member}`, leaseMs: 300_000 }))
  await Promise.all(Array.from({ length: members }, (_, member) => moveOf(member)))
  return {
    hub,
    sockets,
    port: (server.address() as AddressInfo).port,
    /** Moves one member, by default the first. */
    move: (member = 0) => moveOf(member),
    live: () => hub.use(room, async (live) => live),
    async [Symbol.asyncDispose]() {
      await hub.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
type Busy = Awaited<ReturnType<typeof busyRoom>>

/** Opens a stream on a separate socket, which the test pauses and resumes. */
function reader(port: number, input: object = {}) {
  const socket = connect(port, '127.0.0.1')
  const seen = { text: '', bytes: 0, isClosed: false }
  socket.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length
    seen.text = (seen.text + chunk.toString()).slice(-400_000)
  })
  socket.on('close', () => (seen.isClosed = true)).on('error', () => {})
  socket.write(get(`/onLocation?${inputOf({ room, ...input })}`))
  return { socket, seen, [Symbol.dispose]: () => void socket.destroy() }
}

/** Opens a stream and applies its events to a view, as a client does. */
function viewer(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  const view = new View<RoomTypesWith<{ location: Place; profile: unknown }>>()
  const seen = { frames: 0, isClosed: false, outcomes: new Set<string>() }
  let text = ''
  socket.on('data', (chunk: string) => {
    // The text contains the sizes of HTTP chunks, on lines of their own that the pattern below skips.
    text += chunk
    const events = text.split('\n\n\n')
    text = events.pop()!
    for (const event of events) {
      const [, data, id] = /^data: (.*)\nid: (.*)$/m.exec(event) ?? []
      if (data === undefined) continue
      seen.frames += 1
      seen.outcomes.add(
        applyEvent(view, id!, JSON.parse(data) as LocationEvent<RoomTypesWith<{ location: Place; profile: unknown }>>)
          .outcome,
      )
    }
  })
  socket.on('close', () => (seen.isClosed = true)).on('error', () => {})
  socket.write(get(`/onLocation?${inputOf({ room })}`))
  return { view, seen, [Symbol.dispose]: () => void socket.destroy() }
}

/** Moves a member until the socket buffers of the stalled consumers are full. */
async function fill(busy: Busy, stalled: number) {
  const isFull = () => [...busy.sockets].filter(({ writableLength }) => writableLength > 0).length >= stalled
  while (!isFull()) await busy.move()
}

describe('a slow consumer', () => {
  test('a slow consumer that pauses costs one pending frame, and then catches up', { timeout: 60_000 }, async () => {
    await using busy = await busyRoom({ stallMs: 60_000 })
    using quick = reader(busy.port)
    using slow = reader(busy.port)
    await until('readers have snapshots', () => [quick, slow].every(({ seen }) => seen.text.includes('"snapshot"')))
    slow.socket.pause()
    // This is more than the buffers between two local sockets hold.
    while (quick.seen.bytes < 25_000_000) await busy.move()
    const { timeline } = await busy.live()
    await until('the quick reader shows the newest state', () => quick.seen.text.includes(`id: ${timeline.id()}`))
    slow.socket.resume()
    await until('the slow reader shows the newest state', () => slow.seen.text.includes(`id: ${timeline.id()}`))
    expect(slow.seen.isClosed).toBe(false)
    expect(slow.seen.bytes).toBeLessThan(0.75 * quick.seen.bytes)
  })

  test(
    'a slow consumer at 50 KB/s joins a room of 1,000 and keeps up while 200 others move',
    { timeout: 60_000 },
    async () => {
      await using busy = await busyRoom({ stallMs: 1_000 }, { members: 1_000, bytes: 60 })
      await using phone = await slowProxy(busy.port, 50_000)
      using slow = viewer(phone.port)
      const beganAt = performance.now()
      await until('the slow reader shows all members', () => slow.view.connections.size === 1_000, 20_000)
      expect(phone.bytes).toBeGreaterThan(200_000)
      expect(performance.now() - beganAt).toBeGreaterThan(3_000)
      for (let times = 0; times < 5; times++)
        await Promise.all(Array.from({ length: 200 }, (_, member) => busy.move(member)))
      const { timeline } = await busy.live()
      await until('the slow reader shows the newest state', () => slow.view.id === timeline.id(), 20_000)
      for (const { connectionId, location } of timeline.connections())
        expect(slow.view.connections.get(connectionId)?.location).toEqual(location)
      expect([...slow.seen.outcomes]).not.toContain('diverged')
      expect(slow.seen.isClosed).toBe(false)
    },
  )

  test(
    'a slow consumer that accepts no byte for stallMs is cut without a bye, and its lease is not shortened',
    { timeout: 60_000 },
    async () => {
      await using busy = await busyRoom({ stallMs: 300, closedMs: 100, sweepMs: 50 })
      const connectionKey = newKey()
      using quick = reader(busy.port)
      using slow = reader(busy.port, { connectionKey })
      await until('readers have snapshots', () => [quick, slow].every(({ seen }) => seen.text.includes('"snapshot"')))
      const { timeline, subscribers } = await busy.live()
      const connectionId = [...subscribers].find((each) => each.connectionId !== null)!.connectionId!
      await busy.hub.act(room, posting(connectionId, 1, { n: 0, text: '' }, { leaseMs: 300_000 }))
      slow.socket.pause()
      await fill(busy, 1)
      await until('the stalled stream is cut', () => subscribers.size === 1)
      const end = performance.now() + 500
      while (performance.now() < end) await busy.move()
      expect(timeline.connection(connectionId)).toBeDefined()
      expect(quick.seen.isClosed).toBe(false)
      slow.socket.resume()
      await until('the client notices that its stream was cut', () => slow.seen.isClosed)
      expect(slow.seen.text).not.toContain('"bye"')
    },
  )

  test('a slow consumer that never finishes a frame is cut, even if bytes trickle', { timeout: 60_000 }, async () => {
    await using busy = await busyRoom({ stallMs: 1_500, frameStallMs: 2_500 }, { members: 160 })
    await using phone = await slowProxy(busy.port, 2_000_000)
    using slow = reader(phone.port)
    await until('the stream is open', () => busy.hub.streams.size === 1)
    const beganAt = performance.now()
    await until('the stalled stream is cut', () => busy.hub.streams.size === 0)
    expect(performance.now() - beganAt).toBeGreaterThan(2_000)
    expect(slow.seen.bytes).toBeGreaterThan(2_000_000)
    expect(slow.seen.bytes).toBeLessThan(40_000_000)
  })

  test('a slow consumer that is slow but makes progress is not cut', { timeout: 60_000 }, async () => {
    await using busy = await busyRoom({ stallMs: 1_500 }, { members: 100 })
    await using phone = await slowProxy(busy.port, 5_000_000)
    using slow = reader(phone.port)
    const { timeline } = await busy.live()
    await until('the reader has a snapshot of 25 MB', () => slow.seen.text.includes(`id: ${timeline.id()}`), 30_000)
    expect(slow.seen.bytes).toBeGreaterThan(25_000_000)
    expect(slow.seen.isClosed).toBe(false)
    expect(busy.hub.streams.size).toBe(1)
  })
})

describe('fifty stalled consumers', () => {
  test('fifty stalled consumers cost one frame each and delay no other subscriber', { timeout: 60_000 }, async () => {
    await using busy = await busyRoom({ stallMs: 60_000 })
    using quick = reader(busy.port)
    const stalled = Array.from({ length: 50 }, () => reader(busy.port))
    try {
      for (const { socket } of stalled) socket.pause()
      await until('all streams are open', () => busy.hub.streams.size === 51)
      await fill(busy, 50)
      const { timeline } = await busy.live()
      const waits: number[] = []
      for (let times = 0; times < 40; times++) {
        const postedAt = performance.now()
        await busy.move()
        const id = `id: ${timeline.id()}\n\n\n`
        await until('the reading client shows the newest state', () => quick.seen.text.includes(id))
        waits.push(performance.now() - postedAt)
      }
      const held = [...busy.sockets].map(({ writableLength }) => writableLength)
      expect(Math.max(...held)).toBeLessThan(251_000 + 64 * 1_024)
      expect(waits.sort((a, b) => a - b)[35]).toBeLessThan(300)
    } finally {
      for (const each of stalled) each[Symbol.dispose]()
    }
  })
})
