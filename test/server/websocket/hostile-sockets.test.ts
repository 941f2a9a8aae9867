import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { rawSocket, type SocketMessage } from '../../support/clients/raw-socket.js'
import { until } from '../../support/until.js'

/* Tests WebSocket clients that break the protocol or disconnect early: they must not end the process or leak memory. */

type Settings = { context?: () => unknown; own?: boolean; limits?: object; formatter?: () => unknown }

/** A server with location procedures and procedures of the app's own, which answer when a test says so. */
async function appServer({ context = () => ({}), own = false, limits = {}, formatter }: Settings = {}) {
  const hub = createLocationHub({ location: cellLocation, limits })
  const t = initTRPC.context<object>().create({
    isDev: false,
    ...(formatter && { errorFormatter: formatter as never }),
  })
  const waiting: (() => void)[] = []
  const heard = { stopped: 0, started: 0 }
  const router = t.router({
    ...createLocationRouter({
      hub,
      procedure: t.procedure,
      anonymous: true,
      clientIp: () => '192.0.2.7',
      authorize: () => true,
    }),
    echo: t.procedure.query(() => 'echo'),
    wait: t.procedure.query(() => new Promise<string>((resolve) => waiting.push(() => resolve('waited')))),
    fails: t.procedure.query(() => {
      throw new Error('no')
    }),
    hang: t.procedure.subscription(async function* ({ signal }) {
      heard.started += 1
      yield 1
      await new Promise<void>((resolve) => signal!.addEventListener('abort', () => resolve()))
      heard.stopped += 1
    }),
  })
  const server = createServer()
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  const wss = own ? new WebSocketServer({ server }) : null
  const handler = createLocationWebSocketHandler({
    ...(wss ? { wss } : { server }),
    router,
    requestGuard: false,
    createContext: context,
  } as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    hub,
    server,
    handler,
    waiting,
    heard,
    sockets,
    url: `ws://127.0.0.1:${port}/trpc`,
    async [Symbol.asyncDispose]() {
      for (const each of waiting) each()
      for (const each of sockets) each.destroy()
      await handler.close()
      await hub.close()
      wss?.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const query = (id: number | string, path = 'echo') => ({ id, method: 'query', params: { path } })
const answered = (id: number | string | null) => (message: SocketMessage) => message.id === id

/** Sends an upgrade request with any path and Host header, and then the message `x`. */
async function upgradeWith(port: number, path: string, host: string): Promise<{ received: string; isClosed: boolean }> {
  const socket = connect(port, '127.0.0.1')
  const got = { received: '', isClosed: false }
  socket
    .on('data', (data) => (got.received += data.toString('latin1')))
    .on('close', () => (got.isClosed = true))
    .on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
      `sec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\nsec-websocket-version: 13\r\n\r\n`,
  )
  await until('the server answers the upgrade', () => got.received !== '' || got.isClosed)
  if (!got.isClosed) socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))
  await until('the socket is closed', () => got.isClosed || /\x88/.test(got.received))
  socket.destroy()
  return got
}

test.each(['localhost:99999', '['])('a WebSocket upgrade with the Host header %s is refused with 400', async (host) => {
  await using server = await appServer()
  const { received } = await upgradeWith(server.port, '/trpc', host)
  expect(received).toMatch(/^HTTP\/1.1 400 /)
  using socket = await rawSocket(server.url).opened()
  socket.send(query(1))
  expect(await socket.find('a reply', answered(1))).toMatchObject({ result: { data: 'echo' } })
})

test.each([
  ['//', 'localhost'],
  ['/trpc', 'localhost:99999'],
])('a handler on an existing WebSocketServer closes sockets with the URL %s and the Host %s', async (path, host) => {
  await using server = await appServer({ own: true })
  const { received } = await upgradeWith(server.port, path, host)
  expect(received).toContain('The URL or the Host header is not valid.')
  expect(server.handler.size).toBe(0)
})

test.each([
  ['subscriptions without params', (id: string) => ({ id, method: 'subscription' })],
  ['queries without params', (id: string) => ({ id, method: 'query' })],
  ['mutations with a path that is a number', (id: string) => ({ id, method: 'mutation', params: { path: 1 } })],
  ['a valid call beside one that is not', (id: string) => [query(id, 'wait'), { id: `${id}+`, method: 'query' }]],
  ['calls with a long id', (id: string) => ({ id: id.padEnd(10_000, '-'), method: 'subscription' })],
])('200 invalid WebSocket messages leave no state behind, and the socket still answers: %s', async (_name, invalid) => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  for (let at = 0; at < 200; at++) socket.send(invalid(`id-${at}`))
  socket.send(query('last'))
  await socket.find('a reply', answered('last'))
  expect(socket.messages.filter(answered(null))).toHaveLength(200)
  // If the id of an invalid request were kept, a request with this id would be refused as a duplicate.
  socket.send({ id: 'id-1', method: 'subscription', params: { path: 'hang' } })
  socket.send({ id: 'id-2', method: 'subscription', params: { path: 'onLocation', input: { room: 'q3' } } })
  await until('both streams are open', () => socket.texts.filter((text) => text.includes('"started"')).length === 2)
})

test('queries with the same id count as separate calls, and a WebSocket with many calls in progress is not read', async () => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  const large = { id: 1, method: 'query', params: { path: 'wait', input: 'x'.repeat(8_000) } }
  for (let at = 0; at < 400; at++) socket.send(large)
  await until('64 calls are in progress', () => server.waiting.length >= 64)
  // If the socket were still read, more calls would start within these turns of the event loop.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(server.waiting.length).toBeLessThan(100)
  socket.send(query(2))
  await until('the socket is read once calls have ended', () => {
    for (const each of server.waiting.splice(0)) each()
    return socket.messages.some(answered(2))
  })
  await until('all queries are answered', () => socket.messages.filter(answered(1)).length === 400)
})

test('a request id that was refused as a duplicate still stops the first subscription with this id', async () => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  const subscribe = { id: 1, method: 'subscription', params: { path: 'hang' } }
  socket.send(subscribe, subscribe)
  expect(JSON.stringify(await socket.find('an error', ({ error }) => error !== undefined))).toContain('Duplicate id 1')
  // The id 1 still belongs to the app's subscription, so a location subscription with it is refused.
  socket.send({ id: 1, method: 'subscription', params: { path: 'onLocation', input: { room: 'q3' } } })
  await until('a second call is refused', () => socket.messages.filter(({ error }) => error !== undefined).length === 2)
  socket.send({ id: 1, method: 'subscription.stop' })
  await until('the subscription has stopped', () => server.heard.stopped === 1)
})

test('a client that floods a WebSocket with pings and reads nothing makes the server buffer less than 256 KiB', async () => {
  await using server = await appServer()
  using client = await rawSocket(server.url).opened()
  const socket = (client.ws as unknown as { _socket: Socket })._socket
  socket.pause()
  const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)])
  const flood = Buffer.concat(Array.from({ length: 8_000 }, () => ping))
  let most = 0
  for (let sent = 0; sent < 24; sent++) {
    await new Promise<void>((resolve) => socket.write(flood, () => resolve()))
    most = Math.max(most, server.sockets[0]!.writableLength)
  }
  expect(most).toBeLessThan(2 ** 18)
})

test.each([false, true])('a WebSocket ping is answered with one pong (existing WebSocketServer: %s)', async (own) => {
  await using server = await appServer({ own })
  using client = await rawSocket(server.url).opened()
  let pongs = 0
  client.ws.on('pong', () => (pongs += 1))
  client.ws.ping()
  client.send('PING')
  await client.has(1)
  expect(pongs).toBe(1)
})

test('WebSockets that close while createContext is pending do not count toward the limit of their address', async () => {
  const contexts: (() => void)[] = []
  let isSlow = true
  const context = () => (isSlow ? new Promise((resolve) => contexts.push(() => resolve({}))) : {})
  await using server = await appServer({ context, limits: { addressStreams: 1 } })
  for (let round = 0; round < 10; round++) {
    const sockets = await Promise.all(Array.from({ length: 10 }, () => rawSocket(server.url).opened()))
    for (const { ws } of sockets) ws.terminate()
    await until('all sockets are gone', () => server.handler.size === 0)
  }
  expect(contexts).toHaveLength(100)
  for (const each of contexts) each()
  isSlow = false
  using socket = await rawSocket(server.url).opened()
  socket.send(query(1))
  expect(await socket.find('a reply', answered(1))).toMatchObject({ result: { data: 'echo' } })
})

test('a WebSocket whose messages wait for createContext is not read until the context exists', async () => {
  let open = () => {}
  const context = () => new Promise((resolve) => (open = () => resolve({})))
  await using server = await appServer({ context })
  using socket = await rawSocket(server.url).opened()
  const large = { id: 1, method: 'query', params: { path: 'echo', input: 'x'.repeat(50_000) } }
  for (let at = 0; at < 600; at++) socket.send(large)
  await until('the server has read 64 messages', () => server.sockets[0]!.bytesRead > 64 * 50_000)
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(server.sockets[0]!.bytesRead).toBeLessThan(100 * 50_000)
  open()
  await until('all queries are answered', () => socket.messages.filter(answered(1)).length === 600)
})

test('an error that errorFormatter makes unserializable is answered with a plain error, and the WebSocket answers further calls', async () => {
  await using server = await appServer({ formatter: () => ({ large: 1n }) })
  using socket = await rawSocket(server.url).opened()
  for (let id = 0; id < 100; id++)
    socket.send({ id, method: 'query', params: { path: 'countMembers', input: { rooms: 'none' } } })
  await socket.has(100)
  expect(socket.messages.every(({ error }) => JSON.stringify(error).includes('Internal server error'))).toBe(true)
  socket.send(query(100))
  expect(await socket.find('a reply', answered(100))).toMatchObject({ result: { data: 'echo' } })
})

test('closing the WebSocket handler destroys sockets that do not answer, and waits for sockets with calls in progress', async () => {
  await using server = await appServer()
  using silent = await rawSocket(server.url).opened()
  ;(silent.ws as unknown as { _socket: Socket })._socket.pause()
  using busy = await rawSocket(server.url).opened()
  busy.send(query(1, 'wait'))
  await until('the call runs', () => server.waiting.length === 1)
  const closed = server.handler.close()
  await until('one socket is gone', () => server.handler.size === 1)
  expect(server.sockets.map(({ destroyed }) => destroyed)).toEqual([true, false])
  server.waiting[0]!()
  await closed
  expect(await busy.closing()).toMatchObject({ code: 1012 })
  expect(busy.messages).toMatchObject([{ id: 1, result: { data: 'waited' } }])
  expect(server.handler.size).toBe(0)
})
