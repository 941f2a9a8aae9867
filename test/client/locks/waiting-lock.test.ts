import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { createLocationClient, type Room } from 'hereabouts/client'
import { manualClock } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { fakeServer } from '../../../src/testing/fake-server.js'

/* What locks do to the reconnects of a room, and to its clock, while the server is away or asks for a wait. */

type Locked = RoomTypesWith<{ location: CellLocation; locks: true }>
const cell: CellLocation = { sheet: 'Q3', row: 1, col: 1 }
const create = createLocationClient as unknown as (options: object) => {
  join(id: string): Room<Locked>
  close(): unknown
}

/** The error of a procedure, no network, or the answer of the fake server. */
type Answer = object | 'none' | null

/** tRPC sends the error of a subscription inside the stream. */
const refusedStream = (error: object) =>
  new Response(`event: serialized-error\ndata: ${JSON.stringify(error)}\n\n\n`, {
    headers: { 'content-type': 'text/event-stream' },
  })

/** A live room of a fake server, whose requests and timers are counted, by their procedure. */
async function stage() {
  const clock = manualClock()
  const server = fakeServer<Locked>('me')
  const counts: Record<string, number> = {}
  const answers: Record<string, Answer> = {}
  let timers = 0
  const fetch = (async (input: string, init?: RequestInit) => {
    const procedure = new URL(input).pathname.split('/').at(-1)!
    counts[procedure] = (counts[procedure] ?? 0) + 1
    const answer = answers[procedure] ?? null
    if (answer === 'none') throw new TypeError('no network')
    if (answer && procedure === 'onLocation') return refusedStream(answer)
    if (answer) return Response.json({ error: answer }, { status: 429 })
    return server.fetch(input, init)
  }) as typeof globalThis.fetch
  const after = (delayMs: number, run: () => void) => {
    timers += 1
    return clock.after(delayMs, run)
  }
  const client = create({ url: 'http://fake.invalid', fetch, clock: { ...clock, after }, share: false })
  onTestFinished(() => client.close() as Promise<void>)
  const room = client.join('r')
  await Promise.all([room.ready(), room.flush()])
  // Loads the code of locks.
  await (await room.lock({ ...cell, row: 9 }))!.release()
  return {
    clock,
    server,
    room,
    answers,
    counts,
    /** Advances the clock, and returns the number of timers that the client has set meanwhile. */
    async timersIn(ms: number) {
      const before = timers
      await clock.advance(ms)
      return timers - before
    },
  }
}

const goAway = ({ answers, server }: Awaited<ReturnType<typeof stage>>, answer: Answer = 'none') => {
  for (const procedure of ['onLocation', 'getLocations', 'postLocation', 'lockLocation']) answers[procedure] = answer
  server.disconnect()
  server.reconnect()
}

const busy = (retryAfterMs: number): Answer => ({
  message: `rate-limited: Too many calls: try again in ${retryAfterMs} ms.`,
  code: -32_029,
  data: { code: 'TOO_MANY_REQUESTS', httpStatus: 429, retryAfterMs },
})

test('a lock that is asked for during an outage of ten minutes leaves the backoff as it is', async () => {
  const [without, waiting] = [await stage(), await stage()]
  for (const each of [without, waiting]) {
    goAway(each)
    each.room.post(cell)
  }
  const asked = waiting.room.lock(cell).catch((error: unknown) => error)
  for (const each of [without, waiting]) await each.clock.advance(600_000)
  // At most three heartbeats between two attempts, on average half of that.
  for (const procedure of ['onLocation', 'postLocation']) {
    expect(waiting.counts[procedure]).toBeLessThan(100)
    expect(waiting.counts[procedure]).toBeLessThan(2 * without.counts[procedure]!)
  }
  for (const procedure of Object.keys(waiting.answers)) waiting.answers[procedure] = null
  waiting.room.retry()
  await waiting.clock.advance(40_000)
  expect(await asked).toMatchObject({ location: cell })
})

test('a lock that is asked for during an outage sets no timer of its own', async () => {
  const of = await stage()
  goAway(of)
  void of.room.lock(cell).catch(() => {})
  await of.clock.advance(300_000)
  expect(await of.timersIn(60_000)).toBeLessThan(100)
})

test('a lock that is held reconnects within two seconds after an outage, and until it is lost', async () => {
  const of = await stage()
  const lock = (await of.room.lock(cell))!
  goAway(of)
  await of.clock.advance(20_000)
  const during = of.counts['onLocation']!
  expect(during).toBeGreaterThan(9)
  of.answers['onLocation'] = null
  await of.clock.advance(2_000)
  expect(of.room.status.state).toBe('live')
  expect(lock.signal.aborted).toBe(false)
  of.answers['onLocation'] = 'none'
  of.server.disconnect()
  of.server.reconnect()
  await of.clock.advance(30_000)
  expect(lock.signal.aborted).toBe(true)
  const lost = of.counts['onLocation']!
  await of.clock.advance(100_000)
  expect(of.counts['onLocation']! - lost).toBeLessThan(20)
})

test('a lock that is held keeps a wait that the server asked for, of streams and of posts', async () => {
  const of = await stage()
  await of.room.lock(cell)
  goAway(of, busy(25_000))
  const asksForIt = ({ status }: typeof of.room) => status.state === 'waiting' && status.error.retryAfterMs
  while (!asksForIt(of.room)) await of.clock.advance(100)
  const { onLocation, postLocation = 0 } = of.counts
  of.room.post(cell)
  await of.clock.advance(20_000)
  expect(of.counts['onLocation']).toBe(onLocation)
  expect(of.counts['postLocation']).toBe(postLocation + 1)
})

test.each([0, 1, -1, '5', 1e9])(
  'the wait for the end of the claims is at least 50 ms and at most a minute when the server says %j',
  async (retryAfterMs) => {
    const of = await stage()
    let asked = 0
    const { fetch } = of.server
    Object.assign(of.server, {
      fetch: (async (input: string, init?: RequestInit) => {
        if (!input.endsWith('lockLocation')) return fetch(input, init)
        asked += 1
        return Response.json({ result: { data: { outcome: 'taken', holder: null, retryAfterMs } } })
      }) as typeof globalThis.fetch,
    })
    void of.room.lock(cell).catch(() => {})
    await of.clock.advance(120_000)
    expect(asked).toBeGreaterThan(1)
    expect(asked).toBeLessThan(2_500)
  },
)
