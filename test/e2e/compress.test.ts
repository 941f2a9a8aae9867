import { spawn } from 'node:child_process'
import { request, type IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import { applyEvent, View, type CellLocation, type LocationEvent, type MemberProfile } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Hub } from '../../src/server/hub/hub.js'
import { posting } from '../support/histories.js'
import { slowProxy } from '../support/network/slow-proxy.js'
import { cell, stockClient, subscribed } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'
import type { RoomTypesWith } from 'hereabouts'

/* `compress: true` over real sockets, with standard HTTP clients and frames that are deflated off the event loop. */

const connectionKey = 'k'.repeat(22)
const streamOf = (url: string, room: string) =>
  `${url}/onLocation?input=${encodeURIComponent(JSON.stringify({ room }))}`

describe('a compressed stream read by a standard HTTP client', () => {
  /** Moves a member three times. Waits after each move until the client has received it. */
  async function hears(url: string, heard: () => string) {
    const client = stockClient(url)
    await until('the client has the snapshot', () => heard().includes('"snapshot"'))
    for (const row of [101, 102, 103]) {
      await client.postLocation.mutate({ room: 'r', connectionKey, seq: row, location: cell(row) })
      await until(`the client has received row ${row}`, () => heard().includes(`"row":${row},`))
    }
  }

  test('a compressed stream delivers each move at once to fetch in Node', async () => {
    await using server = await serveLocations({ compress: true })
    const closing = new AbortController()
    const response = await fetch(streamOf(server.url, 'r'), { signal: closing.signal })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    let text = ''
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true })
    })()
    await hears(server.url, () => text)
    await server.hub.drain()
    // Rejects if the stream was broken off before its end.
    await reading
    expect(text).toContain('"bye"')
  })

  test('a compressed stream delivers each move at once to curl --compressed, which exits with 0 after a drain', async () => {
    await using server = await serveLocations({ compress: true })
    const curl = spawn('curl', ['-sSN', '--compressed', '-D', '-', streamOf(server.url, 'r')])
    try {
      let text = ''
      curl.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
      curl.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
      const exited = new Promise<number | null>((resolve) => curl.once('exit', resolve))
      await hears(server.url, () => text)
      expect(text.toLowerCase()).toContain('content-encoding: gzip')
      await server.hub.drain()
      // curl exits with 61 when a body does not match its gzip checksum.
      expect(await exited).toBe(0)
    } finally {
      curl.kill()
    }
  })

  test("a compressed stream delivers each move at once to tRPC's own client", async () => {
    await using server = await serveLocations({ compress: true })
    const stream = subscribed(stockClient(server.url), { room: 'r', connectionKey })
    const heard = () => JSON.stringify(stream.heard.all.map(({ event }) => event))
    await hears(server.url, heard)
    expect(stream.diverged).toEqual([])
    stream.unsubscribe()
  })
})

const place = z.object({ n: z.int(), text: z.string() })
type Place = z.infer<typeof place>

/** Returns pseudo-random text, which deflate compresses only a little. */
const noise = (bytes: number, seed: number) => {
  let state = seed
  const next = () => (state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 8
  return Buffer.from(Array.from({ length: (bytes * 3) / 4 }, next)).toString('base64')
}

/** Starts a server with one room, whose members post locations of about `bytes` bytes that compress badly. */
async function talkative(members: number, bytes: number, timing = {}) {
  const roomy = { location: place, timing: { leaseMs: 300_000, ...timing }, limits: { memberRoomStreams: 100 } }
  const server = await serveLocations({ ...roomy, compress: true })
  const hub = server.hub
  if (!(hub instanceof Hub)) throw new TypeError('serveLocations() gave a hub that is not a Hub')
  let n = 0
  const move = (member: number) => {
    const location = { n: (n += 1), text: noise(bytes, n) }
    return hub.act('r', posting(`connection-${member}`, n, location, { memberId: `m${member}`, leaseMs: 300_000 }))
  }
  const moveAll = () => Promise.all(Array.from({ length: members }, (_, member) => move(member)))
  await moveAll()
  const live = await hub.use('r', async (room) => room)
  return { url: server.url, port: server.port, hub, live, move, moveAll, [Symbol.asyncDispose]: () => server.close() }
}

/** Opens a stream, decodes it, and applies its events to a view. */
function viewer<L = Place>(url: string, room = 'r', encoding = 'gzip') {
  const view = new View<RoomTypesWith<{ location: L; profile: MemberProfile }>>()
  const seen = { bytes: 0, frames: 0, diverged: 0, isClosed: false }
  let text = ''
  let body: IncomingMessage | undefined
  const asked = request(streamOf(url, room), { headers: { 'accept-encoding': encoding }, agent: false }, (response) => {
    body = response
    const isGzip = response.headers['content-encoding'] === 'gzip'
    const decoded = isGzip ? response.on('data', count).pipe(createGunzip()) : response.on('data', count)
    decoded.setEncoding?.('utf8')
    decoded.on('data', take).on('error', () => (seen.diverged += 1))
    response.on('error', () => {}).on('close', () => (seen.isClosed = true))
  })
  const count = (chunk: Buffer | string) => void (seen.bytes += Buffer.byteLength(chunk))
  const take = (chunk: Buffer | string) => {
    const events = (text + chunk.toString()).split('\n\n\n')
    text = events.pop()!
    for (const event of events) {
      const [, data, id] = /^data: (.*)\nid: (.*)$/m.exec(event) ?? []
      if (data === undefined) continue
      seen.frames += 1
      const { outcome } = applyEvent(
        view,
        id!,
        JSON.parse(data) as LocationEvent<RoomTypesWith<{ location: L; profile: MemberProfile }>>,
      )
      if (outcome === 'diverged') seen.diverged += 1
    }
  }
  asked.on('error', () => (seen.isClosed = true)).end()
  return {
    view,
    seen,
    pause: () => body?.socket.pause(),
    resume: () => body?.socket.resume(),
    [Symbol.dispose]: () => void asked.destroy(),
  }
}
type Talkative = Awaited<ReturnType<typeof talkative>>

function expectTruth({ view, seen }: ReturnType<typeof viewer>, { live: { timeline } }: Talkative) {
  expect([view.id, seen.diverged, view.connections.size]).toEqual([timeline.id(), 0, timeline.size])
  for (const { connectionId, location } of timeline.connections())
    expect(view.connections.get(connectionId)?.location).toEqual(location)
}

describe('frames that are deflated off the event loop', () => {
  test('frames that are deflated off the event loop reach viewers that join before, during and after ten rounds of moves, and every view equals the room at the end', async () => {
    await using busy = await talkative(200, 600)
    const viewers: ReturnType<typeof viewer>[] = []
    try {
      for (let times = 0; times < 10; times++) {
        viewers.push(...Array.from({ length: 3 }, () => viewer(busy.url)))
        await busy.moveAll()
      }
      await until('all viewers are up to date', () => viewers.every(({ view }) => view.id === busy.live.timeline.id()))
      for (const each of viewers) expectTruth(each, busy)
    } finally {
      for (const each of viewers) each[Symbol.dispose]()
    }
  })

  test('frames that are deflated off the event loop have less than 85 % of their plain bytes, and room traffic counts the compressed bytes', async () => {
    await using busy = await talkative(200, 600)
    using plain = viewer(busy.url, 'r', 'identity')
    await until('the viewer shows all members', () => plain.view.id === busy.live.timeline.id())
    const before = busy.live.traffic.bytes
    using gzip = viewer(busy.url)
    await until('the viewer shows all members', () => gzip.view.id === busy.live.timeline.id())
    const counted = busy.live.traffic.bytes - before
    expect(plain.seen.bytes).toBeGreaterThan(130_000)
    expect(gzip.seen.bytes).toBeLessThan(0.85 * plain.seen.bytes)
    // The server also counts the framing of HTTP chunks.
    expect(counted - gzip.seen.bytes).toBeGreaterThanOrEqual(0)
    expect(counted - gzip.seen.bytes).toBeLessThan(100)
  })

  test('frames that are deflated off the event loop leave no subscriber behind when a viewer disconnects, or is disconnected by the server, meanwhile', async () => {
    await using busy = await talkative(200, 600)
    for (const leave of [(each: Disposable) => each[Symbol.dispose](), () => busy.hub.streams.close()]) {
      const viewers = Array.from({ length: 5 }, () => viewer(busy.url))
      await until('five viewers are connected', () => busy.hub.streams.size === 5)
      const moved = busy.moveAll()
      for (const each of viewers) leave(each)
      await moved
      await until('all viewers are disconnected', () => viewers.every(({ seen }) => seen.isClosed))
      await until('the room has no subscribers', () => busy.live.subscribers.size === 0)
    }
  })
})

describe('a compressed reader', () => {
  test('a compressed reader that pauses reading receives merged frames when it resumes, and its view equals the room', async () => {
    await using busy = await talkative(60, 2_000, { stallMs: 60_000, frameStallMs: 60_000 })
    using quick = viewer(busy.url)
    using slow = viewer(busy.url)
    const isThere = ({ view }: ReturnType<typeof viewer>) => view.connections.size === 60
    await until('both viewers show the room', () => isThere(quick) && isThere(slow))
    slow.pause()
    while (quick.seen.bytes < 14_000_000) {
      await busy.moveAll()
      await until('the quick viewer shows the newest state', () => quick.view.id === busy.live.timeline.id())
    }
    slow.resume()
    await until('the slow viewer shows the newest state', () => slow.view.id === busy.live.timeline.id())
    for (const each of [quick, slow]) expectTruth(each, busy)
    expect(slow.seen.frames).toBeLessThan(0.8 * quick.seen.frames)
    expect(slow.seen.isClosed).toBe(false)
  })

  test('a compressed reader at 200 KB/s joins a room of 200 members, and its view equals the room after five rounds of moves', async () => {
    await using busy = await talkative(200, 600, { stallMs: 2_000 })
    await using phone = await slowProxy(busy.port, 200_000)
    using slow = viewer(`http://127.0.0.1:${phone.port}/trpc`)
    await until('the slow viewer shows all members', () => slow.view.connections.size === 200)
    for (let times = 0; times < 5; times++) await busy.moveAll()
    await until('the slow viewer shows the newest state', () => slow.view.id === busy.live.timeline.id())
    expectTruth(slow, busy)
  })
})

describe('the compressed size of a move', () => {
  /** Moves 200 members of a sheet, `perFrame` of them in each frame. Returns the mean number of bytes per move. */
  async function bytesOf(perFrame: number) {
    await using server = await serveLocations({ compress: true, timing: { beatMs: 600_000 } })
    const { hub } = server
    if (!(hub instanceof Hub)) throw new TypeError('serveLocations() gave a hub that is not a Hub')
    const at = Array.from({ length: 200 }, (_, i) => ({ row: (i * 7_919) % 1_000, col: (i * 104_729) % 26 }))
    // Ids are random, as in production: they make up most of a compressed frame.
    const ids = at.map(() => Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('base64url'))
    let seq = 0
    const walk = (member: number) => {
      const here = at[member]!
      seq += 1
      here.row += 1 + ((seq * 31) % 5)
      here.col = (here.col + ((seq * 17) % 3)) % 26
      const location = { sheet: 'Q3', ...here }
      return hub.act('r', posting(ids[member]!, seq, location, { memberId: ids[member]!, leaseMs: 300_000 }))
    }
    const all = at.map((_, member) => member)
    await Promise.all(all.map(walk))
    using gzip = viewer<CellLocation>(server.url)
    using plain = viewer<CellLocation>(server.url, 'r', 'identity')
    const live = await hub.use('r', async (room) => room)
    const haveIt = () => [gzip, plain].every(({ view }) => view.id === live.timeline.id())
    const round = async () => {
      for (let first = 0; first < 200; first += perFrame) {
        await Promise.all(all.slice(first, first + perFrame).map(walk))
        await until('both viewers show the newest state', haveIt)
      }
    }
    await round()
    const before = [gzip.seen.bytes, plain.seen.bytes, gzip.seen.frames] as const
    for (let times = 0; times < 4; times++) await round()
    expect(gzip.seen.frames - before[2]).toBe((4 * 200) / perFrame)
    expect(gzip.seen.diverged).toBe(0)
    return { gzip: (gzip.seen.bytes - before[0]) / 800, plain: (plain.seen.bytes - before[1]) / 800 }
  }

  test('the compressed size of a move is at most an eighth of its plain size, in frames of 200 moves and of 40 moves', async () => {
    for (const perFrame of [200, 40]) {
      const { gzip, plain } = await bytesOf(perFrame)
      expect(plain).toBeGreaterThan(90)
      expect(gzip * 8).toBeLessThanOrEqual(plain)
    }
  })
})
