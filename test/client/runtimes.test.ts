import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/shared/clock.js'
import { steadyClock } from '../../src/client/steady-clock.js'
import type { CellTypes } from '../support/cell-types.js'
import { scriptedServer } from '../support/servers/scripted-server.js'
import { until } from '../support/until.js'

/* React Native and other runtimes lack parts of the web's APIs; some clocks are wrong. */

type Router = LocationServer<CellTypes>['router']
const clientOf = (url: string, clock = systemClock) => createLocationClient<Router>({ url, clock })

afterEach(() => vi.unstubAllGlobals())

test('a client posts and polls with a fetch whose bodies are Node streams, like those of node-fetch', async () => {
  await using server = await scriptedServer()
  server.answers.poll = () => ({ id: 'epochepoch1.1', event: { type: 'snapshot', connections: [] } })
  const client = createLocationClient<Router>({
    url: server.url,
    async fetch(input, init) {
      return (await nodeFetch(input as string, init)) as unknown as Response
    },
  })
  const room = client.join('r')
  await room.flush()
  await until('the room is polled', () => room.status.state === 'polling')
  await client.close()
})

/** Returns a response like one of node-fetch, whose body is a stream of Node. */
async function nodeFetch(input: string, init?: RequestInit) {
  const response = await fetch(input, init)
  const body = Readable.fromWeb(response.body as never).on('error', () => {})
  return { status: response.status, headers: response.headers, body: body as never, text: () => text(body) }
}

describe('runtimes that lack web APIs', () => {
  test.each(['fetch', 'btoa', 'AbortController', 'TextDecoder', 'queueMicrotask'])(
    'a client in a runtime without %s throws at once an error that names it',
    (name) => {
      vi.stubGlobal(name, undefined)
      expect(() => clientOf('http://127.0.0.1:9/trpc')).toThrow(
        expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(name) as string }),
      )
    },
  )

  test.each([undefined, {}])(
    'a client in a runtime without usable crypto (%j) throws at once an error that names it',
    (crypto) => {
      vi.stubGlobal('crypto', crypto)
      expect(() => clientOf('http://127.0.0.1:9/trpc')).toThrow(
        expect.objectContaining({
          code: 'misconfigured',
          message: expect.stringContaining('crypto.getRandomValues') as string,
        }),
      )
    },
  )

  test.each([
    ['bodies that are streams', () => vi.stubGlobal('Response', function Response() {})],
    ['TextDecoderStream', () => vi.stubGlobal('TextDecoderStream', undefined)],
  ])('a client in a runtime without %s polls instead of streaming', async (_, remove) => {
    await using server = await scriptedServer()
    server.answers.poll = () => ({ id: 'epochepoch1.1', event: { type: 'snapshot', connections: [] } })
    remove()
    const client = clientOf(server.url)
    const room = client.join('r')
    await room.ready()
    expect(room.status).toMatchObject({
      state: 'polling',
      error: { message: expect.stringContaining('reads no streams') as string },
    })
    expect(server.waiting().streams).toBe(0)
    await client.close()
  })
})

test('two clients in one process have different member keys, even with one sessionStorage for the process', async () => {
  await using server = await scriptedServer()
  const stored = new Map<string, string>()
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => void stored.set(name, value),
  })
  const keys = []
  for (const client of [clientOf(server.url), clientOf(server.url)]) {
    client.join('r')
    keys.push((await server.post()).memberKey)
    await client.close()
  }
  expect(new Set(keys).size).toBe(2)
})

describe('faulty clocks', () => {
  const start = Date.UTC(2026, 0, 1)
  const counted = (now: (reads: number) => number) => {
    let reads = 0
    return () => now(reads++)
  }
  const clocks: [string, () => () => number][] = [
    ['is not a number', () => () => NaN],
    ['stands still', () => () => start],
    ['is infinite', () => () => Infinity],
    ['goes back by an hour', () => counted((reads) => start - (reads > 20 ? 3_600_000 : 0))],
    ['jumps to and fro', () => counted((reads) => start + (reads % 2) * 3_600_000)],
  ]

  test.each(clocks)('with a clock that %s, retries have pauses and posts are still delivered', async (_, clockOf) => {
    await using server = await scriptedServer()
    server.answers.status = 503
    let requests = 0
    const post = server.answers.post
    server.answers.post = () => (requests++, Promise.reject(new Error('cut')))
    const timers: number[] = []
    const now = clockOf()
    const clock = {
      now,
      date: () => new Date(),
      after(delayMs: number, run: () => void) {
        timers.push(delayMs)
        return systemClock.after(delayMs, run)
      },
    }
    const client = clientOf(server.url, clock)
    const room = client.join('r')
    const until2s = performance.now() + 2_000
    await until('time has passed', () => performance.now() > until2s)
    // The limits of the pauses are 0.5, 1 and 2 s, so a client makes about ten attempts in 2 s.
    expect(requests).toBeGreaterThan(0)
    expect(requests).toBeLessThan(30)
    for (const delayMs of timers) expect(delayMs).toBeGreaterThanOrEqual(0)
    server.answers.post = post
    await room.flush()
    await client.close()
  })

  test('a steady clock ignores readings that go back or are not finite numbers', () => {
    const times = [5, NaN, 3, Infinity, 9, -1]
    const clock = steadyClock({ ...systemClock, now: () => times.shift()! })
    expect([1, 2, 3, 4, 5, 6].map(() => clock.now())).toEqual([5, 5, 5, 5, 9, 9])
  })
})
