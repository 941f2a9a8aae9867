import { LocationError, View } from 'hereabouts'
import { afterEach, expect, test, vi } from 'vitest'
import { openConnection } from '../../../src/client/connection/connection.js'
import { cut } from '../../../src/client/connection/failure.js'
import { openTabStream } from '../../../src/client/connection/shared-tab-stream.js'
import type { StreamListener } from '../../../src/client/connection/stream-types.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'
import { quietConnection } from '../../support/quiet-connection.js'

/* What real browsers do with locks and channels is for test/browser/tabs.test.ts. */

/** The locks of one browser: each is held by one page, and the others wait. */
function fakeLocks() {
  const waiting = new Map<string, (() => void)[]>()
  async function hold(name: string, run: (lock: object) => unknown) {
    try {
      return await run({})
    } finally {
      const next = waiting.get(name)!.shift()
      if (next) next()
      else waiting.delete(name)
    }
  }
  return {
    async request(name: string, { signal, ifAvailable }: LockOptions, run: (lock: object | null) => unknown) {
      const queue = waiting.get(name)
      if (queue && ifAvailable) return run(null)
      if (queue)
        await new Promise<void>((granted, refused) => {
          queue.push(granted)
          signal?.addEventListener('abort', () => {
            queue.splice(queue.indexOf(granted), 1)
            refused(signal.reason as Error)
          })
        })
      else waiting.set(name, [])
      return hold(name, run)
    },
  }
}

/** Channels that deliver in the order of sending, to all pages but the sender. */
function fakeChannels() {
  const open = new Set<Channel>()
  class Channel extends EventTarget {
    readonly name: string
    constructor(name: string) {
      super()
      this.name = name
      open.add(this)
    }
    postMessage(message: unknown) {
      const data: unknown = structuredClone(message)
      for (const other of open)
        if (other !== this && other.name === this.name)
          queueMicrotask(() => open.has(other) && other.dispatchEvent(new MessageEvent('message', { data })))
    }
    close() {
      open.delete(this)
    }
  }
  return Channel
}

afterEach(() => vi.unstubAllGlobals())

/** A browser whose tabs show one room to one member. Streams are answered by hand. */
function browser() {
  vi.stubGlobal('navigator', { locks: fakeLocks() })
  vi.stubGlobal('BroadcastChannel', fakeChannels())
  vi.stubGlobal('document', { baseURI: 'https://app.example/' })
  const clock = manualClock()
  const streams: StreamListener<CellTypes>[] = []
  const tab = () => {
    const connection = openConnection<CellTypes>({
      ...quietConnection(clock),
      open: (listener) =>
        openTabStream(
          {
            url: '/trpc',
            scope: [],
            openStream: (_input, heard) => {
              streams.push(heard)
              return () => {}
            },
            clock,
            cut,
            connectionKey: undefined,
            whoAmI: async () => 'ada',
            beatMs: 10_000,
            view: new View<CellTypes>(),
            doubted: false,
          },
          { room: 'r' },
          listener,
        ),
      poll: () => () => {},
    })
    connection.connect()
    return connection
  }
  return { clock, streams, tab }
}

test('a refused stream is opened again by no tab before its Retry-After has passed', async () => {
  const { clock, streams, tab } = browser()
  const leader = tab()
  await clock.advance(0)
  const followers = [tab(), tab()]
  await clock.advance(0)
  expect(streams).toHaveLength(1)
  const error = new LocationError('rate-limited', 'Too many new streams.', { retryAfterMs: 30_000 })
  streams[0]!.ended({ error, retry: true, answered: true })
  await clock.advance(0)
  for (const { link } of [leader, ...followers]) {
    const waiting = { state: 'waiting', retryAt: clock.now() + 30_000 }
    expect(link).toMatchObject({ ...waiting, error: { code: 'rate-limited', retryAfterMs: 30_000 } })
  }
  await clock.advance(29_999)
  expect(streams).toHaveLength(1)
  await clock.advance(1)
  expect(streams).toHaveLength(2)
})

test('a refusal that our server answered does not make the tabs that follow poll', async () => {
  const { clock, streams, tab } = browser()
  const leader = tab()
  await clock.advance(0)
  const follower = tab()
  // So late that a refusal of something else would count as a stream that is held back.
  await clock.advance(3_000)
  const error = new LocationError('unavailable', 'This server is shutting down: connect again.')
  streams[0]!.ended({ error, retry: true, answered: true })
  await clock.advance(0)
  expect([leader.link.state, follower.link.state]).toEqual(['waiting', 'waiting'])
})
