import { createLocationClient, type ClientTransport, type LocationClientOptions } from 'hereabouts/client'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fakeTabs } from '../support/browser/fake-tabs.js'
import { cell, id, liveRoom, memoryClient, one, type MemoryRouter } from '../support/clients/memory-room.js'
import { countedClock } from '../support/counted-clock.js'
import { memoryServer, MemoryRefusal, settled } from '../support/servers/memory-server.js'
import { tagged } from '../support/tagged.js'

/* Each option of a client, set to an unusual value and observed. The type of `rows` makes a new option without a row fail to compile. */

type Transport = Parameters<ClientTransport>[0]
type AnyOptions = Partial<
  Record<keyof Omit<LocationClientOptions<MemoryRouter, ''>, never> | 'path' | 'transformer', unknown>
>

afterEach(() => vi.unstubAllGlobals())

/** Returns the transport that a client with these options uses, and what it passes to a transport of the app. */
function transportOf(options: AnyOptions = {}) {
  let given: { http: Transport; names: object } | undefined
  const server = memoryServer()
  const client = createLocationClient({
    url: 'http://host/trpc',
    fetch: server.fetch,
    transport: ((http: Transport, names: object) => {
      given = { http, names }
      return http
    }) as never,
    ...options,
  } as never)
  return { client, server, ...given! }
}

const rows: Record<keyof AnyOptions, () => Promise<void>> = {
  async url() {
    const { http, server } = transportOf({ url: new URL('http://other/api') })
    await http.post({ room: 'r', location: null }, 1_000)
    expect([http.url, server.requests[0]!.url]).toEqual(['http://other/api', 'http://other/api/postLocation'])
  },
  async headers() {
    for (const headers of [{ 'x-a': '1' }, () => ({ 'x-a': '1' }), async () => ({ 'x-a': '1' })]) {
      await using opened = await liveRoom([], { headers })
      await opened.room.leave()
      expect(opened.server.requests.map((request) => request.headers['x-a'])).toEqual(['1', '1', '1'])
    }
  },
  async transport() {
    const asked: string[] = []
    const { client } = transportOf({
      transport: (http: Transport) => ({
        ...http,
        post: async () => {
          asked.push('post')
          return { outcome: 'applied', connectionId: 'c', memberId: 'm', seq: 1 }
        },
        state: () => ({ transport: 'websocket' }),
        reconnect: () => void asked.push('reconnect'),
      }),
    })
    const room = client.join('r')
    await settled()
    client.reconnect()
    expect(asked).toEqual(['post', 'reconnect'])
    expect(room.status).toMatchObject({ transport: 'websocket' })
    await client.close()
  },
  async fetch() {
    const calls: unknown[] = []
    const fetch = async (...call: unknown[]) => {
      calls.push(call[0])
      return new Response('{}')
    }
    vi.stubGlobal('fetch', fetch)
    const { http } = transportOf({ fetch: undefined })
    await http.ask({ room: 'r' }, 1_000).catch(() => {})
    expect(calls).toHaveLength(1)
    const other = memoryServer()
    await transportOf({ fetch: other.fetch }).http.ask({ room: 'r' }, 1_000)
    expect([calls.length, other.requests.length]).toEqual([1, 1])
  },
  async share() {
    const browser = fakeTabs()
    vi.stubGlobal('document', { baseURI: 'http://host/page' })
    vi.stubGlobal('navigator', { locks: browser.locks })
    vi.stubGlobal('BroadcastChannel', browser.BroadcastChannel)
    expect(transportOf({ share: false }).http.shareStream).toBe(null)
    const closes: (() => void)[] = []
    for (const options of [{}, { share: true }, { share: 'tenant' }, { path: 'app' }, { transformer: tagged }]) {
      const { http } = transportOf({ ...options, clock: countedClock() })
      const tab = { connectionKey: 'k', whoAmI: async () => 'm', beatMs: 10_000, view: { id: null }, doubted: false }
      const listener = { opened() {}, heard() {}, event() {}, ended() {} }
      closes.push(http.shareStream!({ room: 'r' }, listener, tab as never))
      await vi.waitFor(() => expect(browser.channels().length).toBe(closes.length))
    }
    const names = browser.channels().map(({ name }) => name)
    expect(names[0]).toBe(names[1])
    expect(new Set(names).size).toBe(4)
    for (const close of closes) close()
  },
  async lostMs() {
    await using opened = await liveRoom([one('ada')], { lostMs: 70 })
    const lost: unknown[] = []
    opened.room.on('lost', () => lost.push(opened.room.others[0]?.connections[0]?.stale))
    opened.server.answers.status = 0
    await opened.server.stream.cut()
    await opened.clock.advance(69)
    expect(lost).toEqual([])
    await opened.clock.advance(1)
    expect(lost).toEqual([true])
  },
  async idleMs() {
    expect([transportOf().http.idleMs, transportOf({ idleMs: 7 }).http.idleMs]).toEqual([60_000, 7])
  },
  async awayMs() {
    expect([transportOf().http.awayMs, transportOf({ awayMs: 7 }).http.awayMs]).toEqual([0, 7])
    vi.stubGlobal('document', {
      visibilityState: 'hidden',
      addEventListener() {},
      removeEventListener() {},
      baseURI: 'http://host/',
    })
    vi.stubGlobal('addEventListener', () => {})
    vi.stubGlobal('navigator', {})
    for (const [awayMs, activity] of [
      [0, 'away'],
      [9, undefined],
    ] as const) {
      const { client, server } = transportOf({ awayMs, share: false })
      client.join('r')
      await settled()
      expect(server.inputs('postLocation')[0]!['activity']).toBe(activity)
      await client.close()
    }
  },
  async leaveOnExit() {
    const count = () => process.listenerCount('SIGTERM')
    const before = count()
    await transportOf({ leaveOnExit: false }).client.close()
    const { client } = transportOf({ leaveOnExit: true })
    await vi.waitFor(() => expect(count()).toBe(before + 1))
    await client.close()
    expect(count()).toBe(before)
  },
  async logger() {
    const logged: unknown[] = []
    const { http } = transportOf({ logger: { error: (thrown: unknown) => logged.push(thrown) } })
    http.report('thrown')
    expect(logged).toEqual(['thrown'])
    const tasks: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => tasks.push(task))
    transportOf().http.report(new Error('for the page'))
    vi.unstubAllGlobals()
    expect(tasks[0]).toThrow('for the page')
  },
  async clock() {
    const clock = countedClock()
    const { http } = transportOf({ clock })
    await clock.advance(500)
    expect([http.clock.now(), http.clock.date()]).toEqual([clock.now(), clock.date()])
    http.clock.after(10, () => {})
    expect(clock.pending).toBe(1)
  },
  async path() {
    const { http, names, server } = transportOf({ path: 'app.rooms' })
    for (const call of [
      () => http.post({ room: 'r', location: null }, 1_000),
      () => http.ask({ room: 'r' }, 1_000),
      () => http.leave({ room: 'r', connectionKey: 'k' }, 1_000),
      () => http.call('mutation', 'lockLocation', {}, 1_000),
    ])
      await call()
    http.openStream({ room: 'r' }, { opened() {}, heard() {}, event() {}, ended() {} })
    await settled()
    expect(server.requests.map(({ url }) => new URL(url).pathname)).toEqual(
      ['postLocation', 'getLocations', 'leaveRoom', 'lockLocation', 'onLocation'].map(
        (each) => `/trpc/app.rooms.${each}`,
      ),
    )
    expect(names).toEqual({ prefix: 'app.rooms.', transformer: undefined })
  },
  async transformer() {
    const { http, names, server } = transportOf({ transformer: tagged })
    server.answers.call = () => ({ tagged: '{"ok":true}' })
    expect(await http.call('mutation', 'x', { a: 1 }, 1_000)).toEqual({ ok: true })
    expect(server.requests[0]!.input).toEqual({ tagged: '{"a":1}' })
    expect(names).toEqual({ prefix: '', transformer: tagged })
  },
}

describe('the options of a client', () => {
  test.each(Object.entries(rows))('a client uses its option `%s`', async (_, observe) => {
    expect.hasAssertions()
    await observe()
  })
})

describe('requests of a client', () => {
  test('only the leave request outlives its page', async () => {
    await using opened = await liveRoom()
    await opened.room.leave()
    const kept = opened.server.requests.filter(({ keepalive }) => keepalive)
    expect(kept.map(({ procedure }) => procedure)).toEqual(['leaveRoom'])
  })

  test('a request that is not answered is given up at its deadline, and its signal aborts', async () => {
    const clock = countedClock()
    const signals: AbortSignal[] = []
    const { http } = transportOf({
      clock,
      fetch: (_url: string, init: RequestInit) => {
        signals.push(init.signal!)
        return new Promise(() => {})
      },
    })
    const asked = http.ask({ room: 'r' }, 700).catch((error: unknown) => error)
    await clock.advance(699)
    expect(signals[0]!.aborted).toBe(false)
    await clock.advance(1)
    expect(await asked).toMatchObject({ code: 'network', message: 'The request timed out.' })
    expect([signals[0]!.aborted, clock.pending]).toEqual([true, 0])
  })

  test('a leave with a grace period takes the headers of the latest request, and any other leave asks for new ones', async () => {
    let token = 0
    const { http, server } = transportOf({ headers: () => ({ token: `${++token}` }) })
    await http.ask({ room: 'r' }, 1_000)
    await http.leave({ room: 'r', connectionKey: 'k', seq: 1, graceMs: 3_000 }, 1_000)
    await http.leave({ room: 'r', connectionKey: 'k', seq: 1 }, 1_000)
    expect(server.requests.map(({ headers }) => headers['token'])).toEqual(['1', '1', '2'])
  })

  test('an answer that is no JSON is not read, and says its status', async () => {
    let cancelled = false
    const body = () => new ReadableStream({ cancel: () => void (cancelled = true) })
    const { http } = transportOf({ fetch: async () => new Response(body(), { status: 502 }) })
    await expect(http.ask({ room: 'r' }, 1_000)).rejects.toMatchObject({ message: 'The server answered 502.' })
    expect(cancelled).toBe(true)
  })
})

test.each([
  ['fetch', 'fetch'],
  ['btoa', 'btoa'],
  ['AbortController', 'AbortController'],
  ['TextDecoder', 'TextDecoder'],
  ['queueMicrotask', 'queueMicrotask'],
  ['crypto', 'crypto.getRandomValues'],
])('a runtime without `%s` is told to add a polyfill for it', (global, named) => {
  vi.stubGlobal(global, undefined)
  let thrown: unknown
  try {
    createLocationClient({ url: 'http://host/trpc' } as never)
  } catch (error) {
    thrown = error
  }
  vi.unstubAllGlobals()
  expect(() => {
    throw thrown
  }).toThrow(`This runtime has no ${named}: add a polyfill`)
})

describe('a post that fails', () => {
  test('failures of posts back off, and an accepted post ends the backoff', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    await using opened = await liveRoom()
    const { post } = opened.server.answers
    const wait = async () => {
      const before = opened.server.inputs('postLocation').length
      const start = opened.clock.now()
      while (opened.server.inputs('postLocation').length === before) await opened.clock.advance(10)
      return opened.clock.now() - start
    }
    const fail = async (row: number) => {
      opened.server.answers.post = () => {
        throw new MemoryRefusal('unavailable: Later.', 503)
      }
      opened.room.post(cell(row))
      await wait()
      // The clock of this test advances in steps of 10 ms.
      return [await wait(), await wait(), await wait()].map((ms) => Math.round(ms / 100) * 100)
    }
    const first = await fail(1)
    expect(first).toEqual([500, 1_000, 2_000])
    opened.server.answers.post = post
    await wait()
    expect(await fail(2)).toEqual(first)
    vi.restoreAllMocks()
  })
})

test('a client whose stream was answered by another server for a moment shows the room after it', async () => {
  await using opened = memoryClient()
  opened.server.answers.status = 404
  const room = opened.client.join('r')
  await settled()
  expect(room.status).toMatchObject({ state: 'waiting', error: { code: 'misconfigured' } })
  opened.server.answers.status = 200
  await opened.clock.advance(1_000)
  await opened.server.stream.hello()
  await opened.server.stream.snapshot(id(1), one('ada'))
  expect([room.status.state, room.others.length]).toEqual(['live', 1])
})
