import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/client/connection/failure.js'
import { clamped, timingOf } from '../../../src/client/connection/wire-limits.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'
import { until } from '../../support/until.js'

/*
 * Answers may come from a proxy, a wrong server or a broken one: here, each field is sent with every kind of wrong
 * value.
 */

type Router = LocationServer<CellTypes>['router']

/** Wrong values as JSON text: JSON.stringify cannot write some of them, such as 1e999. */
const hostileValues = [
  '0',
  '-1',
  '1e-9',
  '-1e308',
  '1e308',
  '1e999',
  'null',
  'true',
  '"10000"',
  '""',
  '[]',
  '{}',
  '"x"',
]
const hostileNumbers = [
  0,
  -1,
  1e-9,
  -1e308,
  1e308,
  Infinity,
  -Infinity,
  NaN,
  null,
  undefined,
  '10000',
  '',
  [],
  {},
  true,
]

const hello = { type: 'hello', protocol: 1, connectionId: 'me', beatMs: 10_000, leaseMs: 30_000, postMs: 50 }
const member = { connectionId: 'ada', memberId: 'm-ada', profile: null, location: null, activity: 'active', at: 1 }
const snapshot = { type: 'snapshot', connections: [member] }
const changes = { type: 'changes', from: 'epochepoch1.1', entered: [member], changed: [member], left: [member] }
const reply = { outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq: 1 }

/**
 * Starts a server that answers each procedure with a text of `answers`: the events of a stream, or the data of a call.
 */
async function wrongServer(answers: { stream?: string[]; post?: string; poll?: string; error?: string }) {
  const counts = { streams: 0, posts: 0, polls: 0 }
  const send = (res: ServerResponse, data: string) => {
    res.setHeader('content-type', 'application/json')
    if (answers.error) res.statusCode = 503
    res.end(answers.error ? `{"error":${answers.error}}` : `{"result":{"data":${data}}}`)
  }
  const server = createServer((req, res) => {
    req.resume()
    if (req.url?.includes('getLocations')) return (counts.polls++, send(res, answers.poll ?? 'null'))
    if (!req.url?.includes('onLocation')) return (counts.posts++, send(res, answers.post ?? JSON.stringify(reply)))
    counts.streams++
    if (!answers.stream) return res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Sign in</title>')
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    if (answers.error) return res.write(`event: serialized-error\ndata: ${answers.error}\n\n\n`)
    return res.write(answers.stream.map((event) => `data: ${event}\nid: epochepoch1.1\n\n\n`).join(''))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    counts,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * Joins a room and lets `seconds` pass in steps of 100 ms, in which answers arrive. Returns the numbers of requests.
 */
async function requestsIn(seconds: number, answers: Parameters<typeof wrongServer>[0]) {
  await using server = await wrongServer(answers)
  const clock = manualClock()
  const uncaught: unknown[] = []
  const client = createLocationClient<Router>({ url: server.url, clock, logger: { error: (e) => uncaught.push(e) } })
  const room = client.join('r')
  for (let passed = 0; passed < seconds * 1_000; passed += 100) {
    await clock.advance(100)
    for (let i = 0; i < 6; i++) await turn()
  }
  const { status } = room
  await client.close()
  expect(uncaught).toEqual([])
  return { ...server.counts, status }
}

/** Returns an object as JSON, with the value of one field replaced by a text that JSON.stringify would not write. */
const withField = (object: object, field: string, text: string) =>
  JSON.stringify({ ...object, [field]: '@' }).replace('"@"', text)
const eachField = (object: object) =>
  Object.keys(object).flatMap((field) =>
    hostileValues.map((text) => [`${field} ${text}`, withField(object, field, text)]),
  )

describe('numbers that the server sends', () => {
  test.each(['beatMs', 'leaseMs', 'postMs'] as const)('a hostile %s of a hello stays within its limits', (field) => {
    for (const value of hostileNumbers) {
      const timing = timingOf({ beatMs: 10_000, leaseMs: 30_000, postMs: 50, [field]: value as number })
      expect(timing.beatMs).toBeGreaterThanOrEqual(100)
      expect(timing.beatMs).toBeLessThanOrEqual(600_000)
      expect(timing.leaseMs).toBeGreaterThanOrEqual(0)
      expect(timing.leaseMs).toBeLessThanOrEqual(86_400_000)
      expect(timing.postMs).toBeGreaterThanOrEqual(0)
      expect(timing.postMs).toBeLessThanOrEqual(timing.beatMs)
    }
  })

  test('usual numbers of a hello are kept, and features that are not a list count as none', () => {
    const timing = { beatMs: 500, leaseMs: 1_500, postMs: 2.5, presenceMs: 75, features: ['used'] }
    expect(timingOf(timing)).toEqual(timing)
    expect(timingOf({ ...timing, features: 'used' as never })).toEqual({ ...timing, features: [] })
  })

  test('a number above its limit counts as the limit, and any other wrong value as absent', () => {
    expect(clamped(11, 1, 10, 'usual')).toBe(10)
    for (const value of [0, NaN, '5', null, undefined]) expect(clamped(value, 1, 10, 'usual')).toBe('usual')
  })

  test('a hostile `retryAfterMs` is ignored or taken as 1 ms to an hour', () => {
    for (const retryAfterMs of hostileNumbers) {
      const { error } = failureOf({ message: 'unavailable: Draining.', shape: {}, data: { retryAfterMs } })
      if (error.retryAfterMs === undefined) continue
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(1)
      expect(error.retryAfterMs).toBeLessThanOrEqual(3_600_000)
    }
  })
})

describe('the client of a hostile server', () => {
  // With backoff, a client makes at most about 20 attempts in 10 s, because the limits of the pauses double from 0.5 s.
  const calm = 25

  test.concurrent.each(eachField(hello))(
    'the client neither crashes nor retries in a busy loop when a hello event has the field %s',
    async (_, event) => {
      const { streams, posts } = await requestsIn(10, { stream: [event, JSON.stringify(snapshot)] })
      expect(streams).toBeLessThan(calm)
      expect(posts).toBeLessThan(calm)
    },
  )

  const events: [string, object][] = [
    ['snapshot', snapshot],
    ['changes', changes],
    ['a connection', member],
    ['beat', { type: 'beat', count: 1, digest: '0000000000000000' }],
    ['bye', { type: 'bye', reason: 'rotated' }],
  ]
  const wrongEvents = events.flatMap(([name, event]) => eachField(event).map(([field, text]) => [name, field, text]))
  test.concurrent.each(wrongEvents)(
    'the client neither crashes nor retries in a busy loop when an event of kind %s has the field %s',
    async (name, _, text) => {
      const wrong = name === 'a connection' ? `{"type":"snapshot","connections":[${text}]}` : text!
      const { streams, posts } = await requestsIn(2, {
        stream: [JSON.stringify(hello), JSON.stringify(snapshot), wrong],
      })
      expect(streams).toBeLessThan(calm)
      expect(posts).toBeLessThan(calm)
    },
  )

  test.concurrent.each(hostileValues)(
    'the client neither crashes nor retries in a busy loop when it is sent %s in place of an event',
    async (text) => {
      const { streams } = await requestsIn(10, { stream: [JSON.stringify(hello), text] })
      expect(streams).toBeLessThan(calm)
    },
  )

  test.concurrent.each([...eachField(reply), ...hostileValues.map((text) => ['all', text])])(
    'the client neither crashes nor retries in a busy loop when the reply to a post has the field %s',
    async (_, post) => {
      const { posts, streams } = await requestsIn(5, {
        post,
        stream: [JSON.stringify(hello), JSON.stringify(snapshot)],
      })
      expect(posts).toBeLessThan(calm)
      expect(streams).toBeLessThan(calm)
    },
  )

  const answer = { id: 'epochepoch1.1', event: snapshot }
  const stale = { id: 'epochepoch1.2', event: { ...changes, from: 'otherepoch1.9' } }
  test.concurrent.each([
    ...eachField(answer),
    ...hostileValues.map((text) => ['all', text]),
    ['another id', JSON.stringify(stale)],
  ])(
    'the client neither crashes nor retries in a busy loop when the reply to a poll has the field %s',
    async (_, poll) => {
      const { polls } = await requestsIn(10, { poll })
      expect(polls).toBeLessThan(calm)
    },
  )

  const error = {
    message: 'unavailable: Draining.',
    code: -32603,
    data: { code: 'SERVICE_UNAVAILABLE', httpStatus: 503 },
  }
  const errors = [
    ...eachField(error),
    ...hostileValues.map((text) => ['all', text]),
    ...hostileValues.map((text) => [
      `retryAfterMs ${text}`,
      JSON.stringify({ ...error, data: { ...error.data, retryAfterMs: '@' } }).replace('"@"', text),
    ]),
  ]
  test.concurrent.each(errors)(
    'the client neither crashes nor retries in a busy loop when an error has the field %s',
    async (_, text) => {
      const { streams, posts } = await requestsIn(10, { error: text, stream: [] })
      expect(streams).toBeLessThan(calm)
      expect(posts).toBeLessThan(calm)
    },
  )

  test('the client neither crashes nor retries in a busy loop when each stream sends hello and then a refusal', async () => {
    const refusal = '{"message":"unauthorized: Sign in.","code":-32001,"data":{"httpStatus":401}}'
    const stream = [`${JSON.stringify(hello)}\nid: epochepoch1.0\n\nevent: serialized-error\ndata: ${refusal}`]
    const { streams, status } = await requestsIn(5, { stream })
    expect(streams).toBe(2)
    expect(status).toMatchObject({ state: 'closed', reason: 'unauthorized' })
  })
})

describe('a response that never ends', () => {
  const piece = Buffer.alloc(64 * 1024, 'x')

  /** Sends pieces for as long as the client reads. */
  async function endless(contentType: string, start: string, ...pieces: Buffer[]) {
    let sent = 0
    let requests = 0
    const server = createServer((req, res) => {
      req.resume()
      requests++
      res.writeHead(200, { 'content-type': req.url?.includes('onLocation') ? contentType : 'application/json' })
      res.write(start)
      const more = () => {
        while (!res.destroyed) {
          sent += piece.length
          if (!res.write(pieces[0] ?? piece)) return void res.once('drain', more)
        }
      }
      more()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`,
      sent: () => sent,
      requests: () => requests,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  test.each([
    ['a line', 'data: ', piece],
    ['a message of many lines', 'data: x\n', Buffer.from('data: xxxxxxxxxxxxxxxx\n'.repeat(2_000))],
    ['a line of another field', 'id: ', piece],
  ])('%s without an end ends the stream after 8 MiB, with an error and a pause', async (_, start, pieces) => {
    await using server = await endless('text/event-stream', start, pieces)
    const clock = manualClock()
    const client = createLocationClient<Router>({ url: server.url, clock })
    const room = client.watch('r')
    await until('the connection ended', () => room.status.state === 'waiting')
    expect(room.status).toMatchObject({
      error: { code: 'network', message: expect.stringContaining('8 MiB') as string },
    })
    expect(server.requests()).toBe(1)
    expect(server.sent()).toBeLessThan(64 * 2 ** 20)
    await client.close()
  })

  test('a JSON answer without an end ends the request after 8 MiB, with an error and a pause', async () => {
    await using server = await endless('text/html', '{"result":{"data":"')
    const clock = manualClock()
    const client = createLocationClient<Router>({ url: server.url, clock })
    const room = client.watch('r')
    await until('the polls ended', () => room.status.state === 'waiting')
    expect(room.status).toMatchObject({
      error: { code: 'network', message: expect.stringContaining('8 MiB') as string },
    })
    // The server got one request for a stream, which it answered with HTML, and one poll.
    expect(server.requests()).toBe(2)
    await client.close()
  })
})
