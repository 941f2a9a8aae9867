// @vitest-environment jsdom
import { createLocationClient, type RoomStatus } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { Refusal, scriptedServer, type ScriptedServer } from '../../support/servers/scripted-server.js'
import type { CellTypes } from '../../support/cell-types.js'
import { until } from '../../support/until.js'

type Router = LocationServer<CellTypes>['router']

let server: ScriptedServer
beforeEach(async () => {
  server = await scriptedServer()
})
afterEach(() => server[Symbol.asyncDispose]())

/** Opens a live room in this page, after the code that a page loads on demand has been loaded. */
async function openPage(beatMs = 10_000) {
  await import('../../../src/client/room/page-code.js')
  const clock = manualClock()
  const requests: { url: string; keepalive: boolean | undefined }[] = []
  const client = createLocationClient<Router>({
    url: server.url,
    clock,
    fetch: (input, init) => {
      requests.push({ url: input as string, keepalive: init?.keepalive })
      return fetch(input, init)
    },
  })
  const room = client.join('r')
  const stream = await server.stream()
  const post = await server.post()
  await room.flush()
  stream.hello('epochepoch1.0', { beatMs })
  stream.snapshot('epochepoch1.1')
  await room.ready()
  return { client, clock, room, stream, post, requests, [Symbol.asyncDispose]: () => client.close() }
}

const pageshow = (persisted: boolean) => dispatchEvent(new PageTransitionEvent('pageshow', { persisted }))

test('`pagehide` sends a leave with a grace period of 3 s in a keepalive request', async () => {
  await using page = await openPage()
  dispatchEvent(new Event('pagehide'))
  const { connectionKey } = page.post
  expect(await server.leave()).toEqual({ room: 'r', connectionKey, seq: 1, graceMs: 3000 })
  expect(page.requests.filter(({ keepalive }) => keepalive)).toEqual([
    { url: `${server.url}/leaveRoom`, keepalive: true },
  ])
  await page.stream.closed
})

test('a page restored from the back/forward cache opens a new stream and undoes its leave with a newer post', async () => {
  await using page = await openPage()
  dispatchEvent(new Event('pagehide'))
  await server.leave()
  await page.clock.advance(60_000)
  expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  pageshow(true)
  expect(await server.post()).toMatchObject({ seq: 2, location: null, connectionKey: page.post.connectionKey })
  expect((await server.stream()).input.lastEventId).toBe('epochepoch1.1')
})

test('a restored page keeps a refused room closed until `retry()`', async () => {
  await using page = await openPage()
  page.stream.error('FORBIDDEN', 403, 'forbidden: You may no longer read this room.')
  await page.stream.closed
  dispatchEvent(new Event('pagehide'))
  await server.leave()
  pageshow(true)
  await page.clock.advance(60_000)
  expect(page.room.status).toMatchObject({ state: 'closed', reason: 'forbidden' })
  expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  page.room.retry()
  await server.stream()
  expect(await server.post()).toMatchObject({ seq: 2, connectionKey: page.post.connectionKey })
  await page.room.flush()
})

test('a page that is shown again keeps a wait that the server asked for', async () => {
  await using page = await openPage()
  page.stream.error('TOO_MANY_REQUESTS', 429, 'rate-limited: Too many streams: try again in 60000 ms.')
  await until('it waits', () => page.room.status.state === 'waiting')
  dispatchEvent(new Event('pagehide'))
  await server.leave()
  await page.clock.advance(20_000)
  pageshow(true)
  expect(await server.post()).toMatchObject({ seq: 2 })
  await page.clock.advance(30_000)
  expect(server.waiting().streams).toBe(0)
  await page.clock.advance(11_000)
  await server.stream()
})

test('a `pageshow` of a page that was not in the back/forward cache has no effect', async () => {
  await using page = await openPage()
  pageshow(false)
  await page.clock.advance(100)
  expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
})

test('an `online` event makes a waiting room reconnect within 0.5 s', async () => {
  await using page = await openPage()
  server.answers.status = 503
  server.answers.poll = () => Promise.reject(new Error('No call passes.'))
  page.stream.cut()
  const failed = () => page.room.status.state === 'waiting' && page.room.status.attempt >= 6
  while (!failed()) await page.clock.advance(1000)
  server.answers.status = 200
  dispatchEvent(new Event('online'))
  await page.clock.advance(500)
  await server.stream()
})

describe('a page that is back while its connections may be dead', () => {
  const hangs = () => new Promise<never>(() => {})
  const signs = {
    online: () => dispatchEvent(new Event('online')),
    focus: () => dispatchEvent(new Event('focus')),
    visible: () => document.dispatchEvent(new Event('visibilitychange')),
  }

  test('`online` replaces the stream and sends a hanging post again with the same seq', async () => {
    await using page = await openPage()
    await page.clock.advance(50)
    server.answers.post = hangs
    page.room.post({ sheet: 'Q3', row: 8, col: 8 })
    const hanging = await server.post()
    server.answers.post = ({ seq = 0 }) => ({ outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq })
    signs.online()
    expect(await server.post()).toEqual(hanging)
    expect((await server.stream()).input.lastEventId).toBe('epochepoch1.1')
    await page.room.flush()
  })

  test.each(['focus', 'visible'] as const)('on %s, the stream is replaced if a query hangs for 1 s', async (sign) => {
    await using page = await openPage()
    server.answers.poll = hangs
    signs[sign]()
    await server.poll()
    await page.clock.advance(1_000)
    await page.clock.advance(500)
    await page.stream.closed
    expect((await server.stream()).input.lastEventId).toBe('epochepoch1.1')
  })

  test('when a page gets focus, its stream is replaced if it does not bring the change that a query shows', async () => {
    await using page = await openPage()
    let answered = () => {}
    const done = new Promise<void>((resolve) => (answered = resolve))
    server.answers.poll = () => {
      answered()
      return { id: 'epochepoch1.2', event: { type: 'snapshot', connections: [] } }
    }
    signs.focus()
    await done
    // The timer starts when the answer arrives.
    while (page.room.status.state === 'live') await page.clock.advance(100)
    expect((await server.stream()).input.lastEventId).toBe('epochepoch1.1')
  })

  test('when a page gets focus, its stream is kept if a query shows no change, and there is one query a second', async () => {
    await using page = await openPage()
    signs.focus()
    signs.visible()
    signs.focus()
    await server.poll()
    await page.clock.advance(900)
    expect([server.polls(), server.waiting().streams, page.room.status.state]).toEqual([0, 0, 'live'])
  })

  test('an attempt to connect that hangs after `online` is given up after 1.25 s, not after 25 s', async () => {
    await using page = await openPage()
    server.answers.status = 0
    signs.online()
    await page.clock.advance(1_250)
    expect(page.room.status.state).toBe('waiting')
  })
})

describe('posts that fail while the stream is live', () => {
  const cut = () => Promise.reject(new Error('no answer'))
  /** Opens a page whose posts fail with `answer`, and waits for the second failure. */
  async function failing(answer: () => Promise<never>) {
    const page = await openPage()
    await page.clock.advance(50)
    server.answers.post = answer
    page.room.post({ sheet: 'Q3', row: 8, col: 8 })
    await until('posts fail', async () => (await page.clock.advance(50), page.room.status.postError))
    return page
  }

  test('failing posts replace a live stream when a query is not answered by our server either', async () => {
    server.answers.poll = () => Promise.reject(new Refusal('FORBIDDEN', 403, 'A page of the proxy.'))
    await using page = await failing(cut)
    await server.poll()
    await until('the stream is closed', async () => (await page.clock.advance(100), page.room.status.state !== 'live'))
    expect((await server.stream()).input.lastEventId).toBe('epochepoch1.1')
  })

  test('failing posts keep a live stream when a query is answered, and only one query is sent', async () => {
    await using page = await failing(cut)
    await server.poll()
    await page.clock.advance(9_000)
    expect([server.polls(), server.waiting().streams, page.room.status.state]).toEqual([0, 0, 'live'])
  })

  test('failing posts send no query when our server itself answers that it is unavailable', async () => {
    const unavailable = () => new Refusal('SERVICE_UNAVAILABLE', 503, 'unavailable: The room cannot be reached.')
    await using page = await failing(() => Promise.reject(unavailable()))
    await page.clock.advance(2_000)
    expect([server.polls(), page.room.status.state]).toEqual([0, 'live'])
  })
})

describe('the wait for a server on this machine', () => {
  const look = (state: 'visible' | 'hidden') =>
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
  beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.99))
  afterEach(() => {
    vi.restoreAllMocks()
    look('visible')
  })
  /** Opens a page whose server has been away for five minutes, and which waits for the next attempt to connect. */
  async function waiting() {
    const page = await openPage()
    server.answers.status = 503
    server.answers.post = () => Promise.reject(new Error('No call passes.'))
    server.answers.poll = () => Promise.reject(new Error('No call passes.'))
    page.stream.cut()
    page.room.post({ sheet: 'Q3', row: 8, col: 8 })
    for (let second = 0; second < 300; second++) await page.clock.advance(1_000)
    await until('it waits', async () => (await page.clock.advance(50), page.room.status.state === 'waiting'))
    return page
  }
  /** The number of failed attempts in a row: each one doubles the longest wait for the next. */
  const attemptOf = ({ status }: { status: RoomStatus }) => status.state === 'waiting' && status.attempt

  test('the wait for a server on this machine stays short while the page is visible, also after five minutes', async () => {
    await using page = await waiting()
    expect(attemptOf(page.room)).toBeLessThan(4)
  })

  test('the wait for a server on this machine grows with each attempt while the page is hidden', async () => {
    look('hidden')
    await using page = await waiting()
    expect(attemptOf(page.room)).toBeGreaterThan(5)
  })

  test('the wait for a server on this machine ends within 3 s after a post is accepted', async () => {
    look('hidden')
    await using page = await waiting()
    server.answers.post = ({ seq = 0 }) => ({ outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq })
    await until('a post is accepted', async () => (await page.clock.advance(50), !page.room.status.postError))
    server.answers.status = 200
    server.answers.poll = () => new Promise(() => {})
    const since = page.clock.now()
    await until('the stream is asked for', async () => (await page.clock.advance(10), server.waiting().streams > 0))
    expect(page.clock.now() - since).toBeLessThan(3_000)
  })
})

describe('the activity of a page', () => {
  const look = (state: 'visible' | 'hidden') => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }
  /** Opens a page whose activity tracker is already loaded. */
  const attentive = async () => {
    await import('../../../src/client/room/page-code.js')
    // Heartbeats are so rare that the stream does not count as silent: a client that polls would post by itself.
    const page = await openPage(60_000)
    await page.clock.advance(0)
    return page
  }
  afterEach(() => look('visible'))

  test('a page posts `idle` a minute after its last input, and `active` with the next input', async () => {
    await using page = await attentive()
    await page.clock.advance(30_000)
    dispatchEvent(new Event('pointermove'))
    await page.clock.advance(59_999)
    expect(server.waiting().posts).toBe(0)
    await page.clock.advance(1)
    expect(await server.post()).toMatchObject({ activity: 'idle', seq: 2 })
    await page.room.flush()
    await page.clock.advance(50)
    dispatchEvent(new Event('keydown'))
    expect(await server.post()).toMatchObject({ activity: 'active', seq: 3 })
    await page.room.flush()
  })

  test('a page posts `away` when it is hidden, and `active` as soon as it is visible', async () => {
    await using page = await attentive()
    await page.clock.advance(50)
    look('hidden')
    expect(await server.post()).toMatchObject({ activity: 'away' })
    await page.room.flush()
    await page.clock.advance(20_000)
    expect(server.waiting().posts).toBe(0)
    look('visible')
    expect(await server.post()).toMatchObject({ activity: 'active' })
    await page.room.flush()
  })

  test('after the app has set the activity, input and visibility no longer change it', async () => {
    await using page = await attentive()
    await page.clock.advance(50)
    page.room.update({ activity: 'idle' })
    expect(await server.post()).toMatchObject({ activity: 'idle' })
    await page.room.flush()
    dispatchEvent(new Event('keydown'))
    look('hidden')
    await page.clock.advance(20_000)
    expect(server.waiting().posts).toBe(0)
  })
})

test('a reload keeps the member key and makes a new connection key', async () => {
  await using page = await openPage()
  await using reloaded = await openPage()
  expect(reloaded.post.memberKey).toBe(page.post.memberKey)
  expect(reloaded.post.connectionKey).not.toBe(page.post.connectionKey)
})

test('after the client is closed, events of the page send nothing', async () => {
  const page = await openPage()
  await page.client.close()
  await server.leave()
  dispatchEvent(new Event('pagehide'))
  pageshow(true)
  await page.clock.advance(60_000)
  expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
})

describe('a page that nobody has looked at yet', () => {
  const define = (name: string, value: unknown) => Object.defineProperty(document, name, { value, configurable: true })
  afterEach(() => {
    define('prerendering', undefined)
    define('visibilityState', 'visible')
  })

  test('a prerendered page sends nothing until it is opened, and then joins', async () => {
    define('prerendering', true)
    const clock = manualClock()
    const client = createLocationClient<Router>({ url: server.url, clock })
    const room = client.join('r')
    room.post({ sheet: 'Q3', row: 1, col: 1 })
    dispatchEvent(new Event('online'))
    client.reconnect()
    room.retry()
    await clock.advance(60_000)
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
    define('prerendering', false)
    document.dispatchEvent(new Event('prerenderingchange'))
    expect(await server.post()).toMatchObject({ location: { row: 1 } })
    await server.stream()
    await client.close()
  })

  test('a tab that was opened in the background posts `away` from its first post on', async () => {
    define('visibilityState', 'hidden')
    await using page = await openPage()
    expect(page.post).toMatchObject({ activity: 'away' })
  })
})

test('the leave of a page that is closed is sent with the headers of the latest request, without waiting for `headers`', async () => {
  const clock = manualClock()
  const leaves: (string | undefined)[] = []
  let asked = 0
  let slow: Promise<void> | undefined
  const client = createLocationClient<Router>({
    url: server.url,
    clock,
    async headers() {
      await slow
      return { authorization: `Bearer ${++asked}` }
    },
    fetch: (input, init) => {
      if ((input as string).endsWith('leaveRoom'))
        leaves.push((init?.headers as Record<string, string> | undefined)?.['authorization'])
      return fetch(input, init)
    },
  })
  const room = client.join('r')
  await room.flush()
  const latest = asked
  // `headers` is as slow as an identity SDK that reads a database: the page is gone before it answers.
  slow = new Promise(() => {})
  dispatchEvent(new Event('pagehide'))
  await server.leave()
  expect(leaves).toEqual([`Bearer ${latest}`])
  slow = undefined
  await client.close()
})
