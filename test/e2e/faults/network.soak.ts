import { setTimeout as passing } from 'node:timers/promises'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { faultProxy, type Reply } from '../../support/network/fault-proxy.js'
import { isFresh, joined, rowsSeen } from '../../support/clients/joined.js'
import { cell, stockClient, subscribed } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * Faults that last: a network that delivers one byte at a time, a server that is unavailable for a while, half-open
 * connections. FAULT_SCALE=1 runs in real time and takes minutes (npm run soak:faults). The bounds are those of the
 * protocol, scaled like its timing.
 */
const scale = Number(process.env['FAULT_SCALE'] ?? 1 / 20)
/** The number of times that the server is killed. */
const restarts = Number(process.env['FAULT_RESTARTS'] ?? 20)
const beatMs = 10_000 * scale
const leaseMs = 30_000 * scale
const patience = { timeout: 120_000 + 300_000 * scale }
/** The time that a slow machine may add to any bound. */
const slackMs = 5_000

const server = await serveLocations({ timing: { scale } })
afterAll(() => server.close())
const never = () => new Promise<Reply>(() => {})

describe('a stream of one byte per packet', patience, () => {
  // Every field that may hold a name has characters of four bytes.
  const profile = { name: '𓀀𓁐🦊🧭𝒜𐌰' }
  const room = '𝒮𝒽𝑒𝑒𝓉 🦉'
  const place = (row: number) => ({ sheet: '📊𐍈', row, col: 0 })

  test('a stream of one byte per packet delivers every name and location unchanged to our client and to a stock client', async () => {
    await using proxy = await faultProxy(server.url, { packetBytes: 1 })
    let longest = 0
    const inPieces: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response
      const measure = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, out) {
          longest = Math.max(longest, chunk.length)
          out.enqueue(chunk)
        },
      })
      return new Response(response.body!.pipeThrough(measure), response)
    }
    await using bob = joined(server.url, room, place(1), { profile })
    await bob.room.flush()
    await using ada = joined(proxy.url, room, place(0), { profile, fetch: inPieces })
    using stock = subscribed(stockClient(proxy.url), { room })
    await ada.room.ready()
    for (const row of [2, 3, 4]) {
      bob.room.post(place(row))
      await bob.room.flush()
    }
    const seen = () => ada.room.others[0]
    await until('the newest is shown', () => seen()?.location?.row === 4)
    expect(seen()).toMatchObject({ profile, location: place(4) })
    const places = () => Array.from(stock.view.connections.values(), ({ profile, location }) => ({ profile, location }))
    await until('to the stock client too', () => places().some(({ location }) => location?.row === 4))
    expect(places()).toEqual(
      expect.arrayContaining([
        { profile, location: place(4) },
        { profile, location: place(0) },
      ]),
    )
    // Every character of four bytes arrived in parts: no packet had four bytes.
    expect(longest).toBeLessThan(4)
    expect(ada.news.filter((event) => event === 'left' || event === 'error')).toEqual([])
    expect(stock.diverged).toEqual([])
    await bob.room.leave()
    await until('a leave gets through', () => ada.room.others.length === 0)
  })
})

describe.concurrent('a server that answers 503 to every stream for twenty seconds', patience, () => {
  test('a server that answers 503 to every stream for twenty seconds is retried with backoff while the room is polled; a member who keeps posting is not shown to leave', async () => {
    let isDown = false
    let asked = 0
    await using proxy = await faultProxy(server.url, {
      open(call) {
        if (!isDown) return call
        asked += 1
        return 503
      },
    })
    const room = 'unavailable'
    await using ada = joined(proxy.url, room, cell(0), { lostMs: 5_000 * scale })
    await using bob = joined(server.url, room, cell(1))
    await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
    const words: string[] = []
    ada.room.on('lost', () => words.push('lost'))
    ada.room.on('restored', () => words.push('restored'))
    isDown = true
    proxy.cut()
    const end = performance.now() + 20_000 * scale
    let row = 10
    while (performance.now() < end) {
      row += 1
      ada.room.post(cell(row))
      bob.room.post(cell(row + 100))
      await until('a move gets through all the same', () => rowsSeen(bob.room)[0] === row)
      await passing(beatMs / 4)
    }
    // Single requests pass, so that the room is read by polls after a few attempts.
    await until('the room is polled', () => ada.room.status.state === 'polling')
    await until('polls show the newest', () => rowsSeen(ada.room)[0] === row + 100)
    expect(isFresh(ada.room)).toBe(true)
    // Backoff with full jitter makes about eight attempts in two heartbeats. Without it there would be a hundred.
    expect(asked).toBeGreaterThan(1)
    expect(asked).toBeLessThan(40)
    isDown = false
    bob.room.post(cell(500))
    await until('the newest is shown', () => rowsSeen(ada.room)[0] === 500, 3 * beatMs + slackMs)
    await until('the stream is back', () => ada.room.status.state === 'live')
    expect(words.filter((word) => word === 'lost')).toHaveLength(words.filter((word) => word === 'restored').length)
    expect(bob.news).not.toContain('left')
    expect(ada.news).not.toContain('left')
  })
})

describe.concurrent('a half-open connection', patience, () => {
  /** The directions in which open connections stop passing data, without being closed. New connections work. */
  const lines: Record<string, { down: boolean; up: boolean }> = {
    'from the server to us': { down: true, up: false },
    'from us to the server': { down: false, up: true },
    'both ways': { down: true, up: true },
  }
  test.each(Object.entries(lines))(
    'a half-open connection that is dead %s is detected, and no member is shown to leave',
    async (name, { down, up }) => {
      let streams = 0
      let posts = 0
      let dead = false
      await using proxy = await faultProxy(server.url, {
        open(call) {
          streams += 1
          return call
        },
        event: (event) => (dead && down && streams === 1 ? '' : event),
        async call(call, pass) {
          if (!dead || posts++ > 0) return pass(call)
          if (up) return never()
          await pass(call)
          return never()
        },
      })
      const room = `half-open ${name}`
      await using ada = joined(proxy.url, room, cell(0), { lostMs: 5_000 * scale })
      await using bob = joined(server.url, room, cell(1))
      await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
      dead = true
      ada.room.post(cell(5))
      bob.room.post(cell(6))
      const diedAt = performance.now()
      await until('ada is seen where she is', () => rowsSeen(bob.room)[0] === 5, 2 * beatMs + slackMs)
      await until('bob is seen where he is', () => rowsSeen(ada.room)[0] === 6, 2.5 * beatMs + slackMs)
      // Waits for longer than a lease, so that a lease that is not renewed ends.
      await until('the lease is over', () => performance.now() - diedAt > leaseMs + 2 * beatMs, leaseMs + 3 * beatMs)
      await ada.room.flush()
      expect(rowsSeen(bob.room)).toEqual([5])
      expect(rowsSeen(ada.room)).toEqual([6])
      expect([...ada.news, ...bob.news]).not.toContain('left')
      expect(streams).toBe(down ? 2 : 1)
    },
  )

  test('a half-open connection that stays dead both ways ends the lease, and both ends notice', async () => {
    let dead = false
    await using proxy = await faultProxy(server.url, {
      event: (event) => (dead ? '' : event),
      call: (call, pass) => (dead ? never() : pass(call)),
    })
    const room = 'half-open for good'
    await using ada = joined(proxy.url, room, cell(0), { lostMs: 5_000 * scale })
    await using bob = joined(server.url, room, cell(1))
    await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
    let lost = false
    ada.room.on('lost', () => (lost = true))
    dead = true
    await until('bob sees her go', () => rowsSeen(bob.room).length === 0, 35_000 * scale + slackMs)
    expect(bob.news.filter((event) => event === 'left')).toEqual(['left'])
    await until('ada knows', () => lost, 30_000 * scale + slackMs)
    expect(rowsSeen(ada.room)).toEqual([1])
    dead = false
    await until('clients are back', () => rowsSeen(bob.room).length === 1 && isFresh(ada.room), 8 * beatMs + slackMs)
  })
})

describe.concurrent('a server that is killed and restarted', patience, () => {
  test(`a server that is killed and restarted ${restarts} times gets every member back each time, and no member is shown to leave`, async () => {
    const timing = { scale }
    let running = await serveLocations({ timing })
    const { port, url } = running
    const everyone = [1, 2, 3].map((row) => joined(url, 'restarts', cell(row)))
    const [ada] = everyone
    try {
      await until('all clients show all members', () => everyone.every(({ room }) => room.others.length === 2))
      const seen: number[] = []
      for (const { room, news } of everyone) {
        news.length = 0
        room.subscribe(({ others }) => void seen.push(others.length))
      }
      for (let times = 1; times <= restarts; times++) {
        await running.close()
        running = await serveLocations({ timing, port })
        ada!.room.post(cell(100 + times))
        const agree = () =>
          everyone.every(({ room }) => room.status.state === 'live' && isFresh(room) && room.others.length === 2) &&
          everyone.slice(1).every(({ room }) => rowsSeen(room).includes(100 + times))
        await until(`all members are back after ${times} restarts`, agree, 4 * beatMs + 20_000)
        // Every other time the server is killed before the clients reset their backoff, so they wait longer.
        if (times % 2 === 0) await passing(beatMs)
      }
      expect(Math.min(...seen)).toBe(2)
      // Each of the two other members saw each move once.
      expect(everyone.flatMap(({ news }) => news)).toEqual(Array.from({ length: 2 * restarts }, () => 'moved'))
      await until('the server knows just them', async () => (await running.hub.room('restarts').count()) === 3)
    } finally {
      for (const person of everyone) await person[Symbol.asyncDispose]()
      await running.close()
    }
  })
})

describe.concurrent('a stream that ends with bye', patience, () => {
  test('a stream that ends with bye at each rotation misses no event, and no other member notices', async () => {
    await using rotating = await serveLocations({ timing: { scale, rotateMs: 2 * beatMs } })
    const goodbyes: string[] = []
    await using proxy = await faultProxy(rotating.url, {
      event(event) {
        const [, reason] = /"type":"bye","reason":"(\w+)"/.exec(event) ?? []
        if (reason) goodbyes.push(reason)
        return event
      },
    })
    await using ada = joined(proxy.url, 'rotated', cell(0))
    await using bob = joined(rotating.url, 'rotated', cell(1))
    await until('clients show each other', () => rowsSeen(ada.room).length === 1 && rowsSeen(bob.room).length === 1)
    const states = new Set<string>()
    ada.room.on('status', ({ current }) => states.add(current.state))
    ada.news.length = 0
    let row = 1
    while (goodbyes.length < 3) {
      row += 1
      bob.room.post(cell(row))
      await until('a move gets through', () => rowsSeen(ada.room)[0] === row, beatMs + slackMs)
    }
    expect(new Set(goodbyes)).toEqual(new Set(['rotated']))
    expect([...states].filter((state) => state !== 'live' && state !== 'connecting')).toEqual([])
    expect(ada.news).toEqual(Array.from({ length: row - 1 }, () => 'moved'))
    expect(bob.news).not.toContain('left')
  })

  test('a stream that ends with bye because the server drains reconnects to the next server, and no member is shown to leave', async () => {
    let running = await serveLocations({ timing: { scale } })
    const { port, url } = running
    const everyone = [1, 2, 3].map((row) => joined(url, 'drained', cell(row)))
    try {
      await until('all clients show all members', () => everyone.every(({ room }) => room.others.length === 2))
      for (const { news } of everyone) news.length = 0
      await running.hub.drain()
      await until('no client is live', () => everyone.every(({ room }) => room.status.state !== 'live'))
      await running.close()
      running = await serveLocations({ timing: { scale }, port })
      everyone[0]!.room.post(cell(9))
      const agree = () =>
        everyone.every(({ room }) => room.status.state === 'live' && isFresh(room) && room.others.length === 2) &&
        everyone.slice(1).every(({ room }) => rowsSeen(room).includes(9))
      await until('all members are back', agree, 3 * beatMs + slackMs)
      expect(everyone.flatMap(({ news }) => news)).toEqual(['moved', 'moved'])
    } finally {
      for (const person of everyone) await person[Symbol.asyncDispose]()
      await running.close()
    }
  })
})
