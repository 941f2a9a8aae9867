import { createServer } from 'node:http'
import { connect } from 'node:net'
import { initTRPC, TRPCError } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter, LocationError } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { manualClock, serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { until } from '../../support/until.js'

/* Tests how WebSockets are opened, limited, checked and closed. same-socket.test.ts tests the messages themselves. */

const key = 'k'.repeat(22)
const subscribe = (id: number | string, room = 'q3', more: object = {}) => ({
  id,
  method: 'subscription',
  params: { path: 'onLocation', input: { room, ...more } },
})
const post = (id: number | string, more: object = {}) => ({
  id,
  method: 'mutation',
  params: { path: 'postLocation', input: { room: 'q3', connectionKey: key, location: null, ...more } },
})
const count = (id: number | string) => ({ id, method: 'query', params: { path: 'countMembers', input: { rooms: [] } } })
const typed =
  (type: string, id: number | string = 1) =>
  (message: { id: unknown; result?: unknown }) =>
    message.id === id && JSON.stringify(message.result ?? null).includes(`"type":"${type}"`)
const failed = (id: number | string | null) => (message: { id: unknown; error?: unknown }) =>
  message.id === id && message.error !== undefined

/** A server whose caller, expiry, clock and answers of authorize() a test may change. */
async function identified(options: { limits?: object } = {}) {
  const state = {
    member: 'ada',
    expiresAt: undefined as Date | undefined,
    isHidden: false,
    contexts: 0,
  }
  const clock = manualClock()
  const hub = createLocationHub({ location: cellLocation, clock, ...options })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const t = initTRPC.context<{ member: string }>().create({ isDev: false })
  const router = t.router(
    createLocationRouter({
      hub,
      procedure: t.procedure,
      clientIp: () => '192.0.2.7',
      identify: ({ ctx }) =>
        ctx.member === 'guest'
          ? (null as never)
          : { memberId: ctx.member, ...(state.expiresAt && { expiresAt: state.expiresAt }) },
      authorize: () => {
        if (state.isHidden) throw new LocationError('unavailable', 'The database restarts.')
        return true
      },
    }),
  )
  const server = createServer()
  const handler = createLocationWebSocketHandler({
    server,
    router,
    createContext: () => {
      state.contexts += 1
      if (state.member === 'nobody') throw new TRPCError({ code: 'UNAUTHORIZED' })
      return { member: state.member }
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    state,
    clock,
    hub,
    handler,
    port,
    url: `ws://127.0.0.1:${port}/trpc`,
    async [Symbol.asyncDispose]() {
      await handler.close()
      await hub.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('the WebSocket upgrade', () => {
  test('a WebSocket upgrade from a page of another origin is refused with 403', async () => {
    await using server = await serveLocations({ webSocket: true })
    using foreign = rawSocket(server.url, { origin: 'https://evil.example' })
    await until('the socket is refused', () => foreign.refused)
    using own = rawSocket(server.url, { origin: new URL(server.url).origin })
    await own.opened()
    expect([foreign.refused, own.refused]).toEqual([403, null])
  })

  test('a WebSocket upgrade is accepted under the host names and origins that the server lists, and refused with 403 under others', async () => {
    const listed = { allowedHosts: ['app.example'], origins: ['https://page.example'] }
    await using server = await serveLocations({ webSocket: true, ...listed })
    for (const [headers, refused] of [
      [{ host: 'app.example' }, null],
      [{ host: 'app.example', origin: 'https://page.example' }, null],
      [{ host: 'rebound.example' }, 403],
      [{ host: 'app.example', origin: 'https://evil.example' }, 403],
    ] as const) {
      using socket = rawSocket(server.url, headers)
      await until('the socket is open or refused', () => socket.refused ?? socket.ws.readyState === 1)
      expect([headers, socket.refused]).toEqual([headers, refused])
    }
  })

  test('a WebSocket upgrade is answered 404 at another path, and 503 while the hub drains', async () => {
    await using server = await identified()
    using elsewhere = rawSocket(server.url.replace('/trpc', '/other'))
    await until('the socket is refused', () => elsewhere.refused)
    server.hub.streams.close()
    using late = rawSocket(server.url)
    await until('the socket is refused', () => late.refused)
    expect([elsewhere.refused, late.refused]).toEqual([404, 503])
  })

  test('a WebSocket upgrade above limits.sockets is answered 503', async () => {
    await using server = await identified({ limits: { sockets: 1 } })
    using first = await rawSocket(server.url).opened()
    using second = rawSocket(server.url)
    await until('the socket is refused', () => second.refused)
    expect([first.refused, second.refused]).toEqual([null, 503])
  })

  test('a server without the option `webSocket` opens no WebSocket', async () => {
    await using server = await serveLocations()
    using socket = rawSocket(server.url)
    await until('the socket is refused', () => socket.refused !== null || socket.closed)
    expect(socket.ws.readyState).not.toBe(1)
  })
})

describe('the limits of a WebSocket', () => {
  test('a WebSocket message may contain at most 8 queries and mutations, and more than 8 subscriptions', async () => {
    await using server = await serveLocations({ webSocket: true })
    using socket = await rawSocket(server.url).opened()
    socket.send(Array.from({ length: 9 }, (_, at) => count(at)))
    await socket.has(9)
    expect(socket.messages.every(({ error }) => /at most 8 calls/.test(JSON.stringify(error)))).toBe(true)
    socket.send(Array.from({ length: 12 }, (_, at) => subscribe(at, `room-${at}`)))
    await until(
      'all streams are open',
      () => socket.messages.filter(({ result }) => /snapshot/.test(JSON.stringify(result ?? ''))).length === 12,
    )
  })

  test('a WebSocket call above limits.bodyBytes is answered PAYLOAD_TOO_LARGE', async () => {
    await using server = await serveLocations({ webSocket: true })
    using socket = await rawSocket(server.url).opened()
    socket.send(post(1, { location: { sheet: 'x'.repeat(9_000), row: 1, col: 1 } }))
    expect(JSON.stringify(await socket.find('an error', failed(1)))).toContain('PAYLOAD_TOO_LARGE')
  })

  test('a WebSocket request whose id is not an integer or a text of at most 64 bytes is answered with the id null', async () => {
    await using server = await serveLocations({ webSocket: true })
    using socket = await rawSocket(server.url).opened()
    socket.send(count(1.5), count('x'.repeat(65)), count('é'.repeat(33)), count('x'.repeat(64)))
    await socket.has(4)
    expect(socket.messages.map(({ id }) => id)).toEqual([null, null, null, 'x'.repeat(64)])
  })

  test('a WebSocket subscription above memberRoomStreams is refused as `room-full`, and the older stream stays open', async () => {
    await using server = await identified({ limits: { memberRoomStreams: 1 } })
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1), subscribe(2))
    expect(JSON.stringify(await socket.find('an error', failed(2)))).toContain('room-full: ')
    socket.send(subscribe(3, 'q4'))
    await socket.find('a snapshot', typed('snapshot', 3))
    expect(socket.messages.some(typed('bye'))).toBe(false)
  })

  test('a WebSocket above addressStreams sockets of its address is closed with 1013; after one closes, another is accepted', async () => {
    await using server = await identified({ limits: { addressStreams: 1 } })
    using first = await rawSocket(server.url).opened()
    first.send(count(1))
    await first.has(1)
    using second = rawSocket(server.url)
    expect(await second.closing()).toMatchObject({ code: 1013 })
    expect(JSON.stringify(second.messages)).toContain('rate-limited: ')
    first.ws.close()
    await until('the first socket is gone', () => server.handler.size === 0)
    using third = await rawSocket(server.url).opened()
    third.send(count(1))
    expect((await third.find('a reply', ({ id }) => id === 1)).error).toBeUndefined()
  })

  test('a client that floods a WebSocket with calls and reads nothing is cut before 88 MB of calls are read', async () => {
    await using server = await serveLocations({ webSocket: true, timing: { stallMs: 1_000 } })
    const { port } = new URL(server.url)
    const socket = connect(Number(port), '127.0.0.1')
    const head = `GET /trpc HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\nsec-websocket-version: 13\r\n\r\n`
    let isClosed = false
    socket.on('close', () => (isClosed = true)).on('error', () => {})
    socket.write(head)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    const ask = JSON.stringify({ id: 'x'.repeat(64), method: 'query', params: { path: 'nothing' } })
    const masked = Buffer.concat([Buffer.from([0x81, 0x80 | ask.length, 0, 0, 0, 0]), Buffer.from(ask)])
    const flood = Buffer.concat(Array.from({ length: 2_000 }, () => masked))
    let sent = 0
    while (!isClosed && sent < 400 && !socket.destroyed) {
      sent += 1
      if (!socket.write(flood))
        await new Promise<void>((resolve) => (socket.once('drain', resolve), socket.once('close', () => resolve())))
    }
    await until('the socket is cut', () => isClosed || socket.destroyed)
    // 400 floods are 88 MB of calls, and their answers are larger.
    expect(sent).toBeLessThan(400)
  })
})

describe('a WebSocket subscription', () => {
  test('a WebSocket subscription waits while authorize() is unavailable, and opens when authorize() answers again', async () => {
    await using server = await identified()
    server.state.isHidden = true
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1), count(2))
    await socket.find('a reply', ({ id }) => id === 2)
    server.state.isHidden = false
    await until('the stream is open', () => (server.clock.advance(250), socket.messages.some(typed('snapshot'))))
    expect(socket.messages.some(failed(1))).toBe(false)
  })

  test('a WebSocket is closed with 1013 when authorize() stays unavailable for requestMs during a subscription', async () => {
    await using server = await identified()
    server.state.isHidden = true
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await until('the socket is closed', () => (server.clock.advance(250), socket.closed))
    expect(socket.closed).toMatchObject({ code: 1013 })
    expect(socket.messages.at(-1)).toMatchObject({ id: null, error: { data: { code: 'SERVICE_UNAVAILABLE' } } })
    expect(socket.messages.some(failed(1))).toBe(false)
  })

  test('a revoked WebSocket subscription ends with a bye and a final error under its id, and the socket stays open', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    await server.hub.revoke('ada')
    expect(JSON.stringify(await socket.find('an error', failed(1)))).toContain('FORBIDDEN')
    expect(socket.messages.some(typed('bye'))).toBe(true)
    socket.send(count(2))
    await socket.find('a reply', ({ id }) => id === 2)
    expect(socket.closed).toBeNull()
  })

  test('a WebSocket subscription is not rotated: it is still open after 12 minutes', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    for (let minute = 0; minute < 12; minute++) {
      socket.send('PING')
      await socket.has(3 + minute + 1)
      await server.clock.advance(60_000)
    }
    expect(socket.closed).toBeNull()
    expect(socket.messages.some(typed('bye'))).toBe(false)
  })

  test('closing a WebSocket shortens the lease of its connection to 15 seconds', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(post(1), subscribe(2, 'q3', { connectionKey: key }))
    await socket.find('a snapshot', typed('snapshot', 2))
    socket.ws.terminate()
    await until('the stream is closed', () => server.hub.streams.size === 0)
    await server.clock.advance(14_000)
    expect(await server.hub.room('q3').members()).toHaveLength(1)
    await server.clock.advance(2_000)
    await until(
      'the member is gone',
      async () => (void server.clock.advance(250), await server.hub.room('q3').members()).length === 0,
    )
  })
})

describe('a WebSocket', () => {
  test('a WebSocket is closed with 1008 when the identity of its caller expires', async () => {
    await using server = await identified()
    server.state.expiresAt = new Date(server.clock.date().getTime() + 5_000)
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    await server.clock.advance(5_001)
    expect(await socket.closing()).toMatchObject({ code: 1008 })
    expect(socket.messages.at(-1)).toMatchObject({ id: null, error: { data: { code: 'UNAUTHORIZED' } } })
  })

  test.each([
    ['another member', 'bob'],
    ['a caller whom createContext refuses', 'nobody'],
    ['a caller whom identify() refuses', 'guest'],
  ])('a WebSocket is closed with 1008 within recheckMs when its caller becomes %s', async (_name, member) => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    server.state.member = member
    await until('the socket is closed', () => (server.clock.advance(5_000), socket.closed))
    expect(socket.closed).toMatchObject({ code: 1008 })
    expect(socket.messages.at(-1)).toMatchObject({ id: null, error: { data: { code: 'UNAUTHORIZED' } } })
  })

  test('a WebSocket whose caller stays the same stays open when its context is created again', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    const { contexts } = server.state
    await until(
      'the context was created again',
      () => (server.clock.advance(1_000), server.state.contexts > contexts + 1),
    )
    expect(socket.closed).toBeNull()
  })

  test('a WebSocket without a subscription or call for 30 seconds is closed with 1000', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(count(1))
    await socket.has(1)
    await server.clock.advance(29_000)
    socket.send('PING')
    await socket.has(2)
    await until('the socket is closed', () => (server.clock.advance(1_000), socket.closed))
    expect(socket.closed).toMatchObject({ code: 1000 })
  })

  test('a WebSocket whose client answers no ping is destroyed, and its stream is closed', async () => {
    await using server = await identified()
    using socket = rawSocket(server.url)
    await socket.opened()
    socket.send(subscribe(1))
    await socket.find('a snapshot', typed('snapshot'))
    ;(socket.ws as unknown as { _socket: { pause(): void } })._socket.pause()
    await until('the socket is gone', () => (server.clock.advance(1_000), server.handler.size === 0))
    expect(server.hub.streams.size).toBe(0)
  })

  test('a WebSocket whose client answers pings stays open', async () => {
    await using server = await identified()
    using socket = await rawSocket(server.url).opened()
    socket.send(subscribe(1))
    let pings = 0
    socket.ws.on('ping', () => (pings += 1))
    await socket.find('a snapshot', typed('snapshot'))
    for (let seen = 1; seen <= 4; seen++)
      await until('a ping has come', () => (server.clock.advance(500), pings >= seen))
    expect(socket.closed).toBeNull()
  })

  test('a WebSocket on a draining hub answers its calls, sends one bye, and is closed with 1012', async () => {
    await using server = await identified()
    using busy = await rawSocket(server.url).opened()
    using idle = await rawSocket(server.url).opened()
    busy.send(subscribe(1))
    idle.send(count(1))
    await idle.has(1)
    await busy.find('a snapshot', typed('snapshot'))
    void server.hub.drain()
    busy.send(post(2))
    await until('both sockets are closed', () => (server.clock.advance(200), busy.closed && idle.closed))
    expect([busy.closed?.code, idle.closed?.code]).toEqual([1012, 1012])
    expect(busy.messages.some(({ id }) => id === 2)).toBe(true)
    expect(busy.messages.some(failed(null))).toBe(false)
    expect(busy.messages.filter(typed('bye'))).toHaveLength(1)
  })
})
