import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import { PacedSubscriptions } from '../../../src/server/websocket/paced-subscriptions.js'
import { cell } from '../../support/clients/stock-client.js'
import { rawSocket, type RawSocket } from '../../support/clients/raw-socket.js'
import { until } from '../../support/until.js'

/*
 * Tests WebSocket streams that tRPC sends: streams of the app, and location streams that a middleware wraps. They have
 * the same bounds as location streams that are sent directly.
 */

const chunk = 'x'.repeat(64 * 1024)
const mostChunks = 800

async function appServer({ context }: { context?: () => unknown } = {}) {
  const clock = manualClock()
  const state = { member: 'ada', made: 0, stopped: 0 }
  const hub = createLocationHub({ location: cellLocation, clock, timing: { frameStallMs: 20_000 } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const t = initTRPC.context<object>().create({ isDev: false })
  const locations = {
    hub,
    identify: () => ({ memberId: state.member }),
    authorize: () => true,
  }
  const router = t.router({
    ...createLocationRouter({ ...locations, procedure: t.procedure }),
    wrapped: createLocationRouter({
      ...locations,
      procedure: t.procedure.use(async ({ next }) => {
        const result = await next()
        return result.ok ? { ...result, data: rewrapped(result.data) } : result
      }),
    }),
    flood: t.procedure.subscription(async function* () {
      try {
        for (; state.made < mostChunks; state.made += 1) {
          yield chunk
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        state.stopped += 1
      }
    }),
    quiet: t.procedure.subscription(async function* ({ signal }) {
      yield 1
      await new Promise((resolve) => signal!.addEventListener('abort', resolve))
    }),
  })
  const server = createServer()
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  const handler = createLocationWebSocketHandler({ server, router, createContext: context ?? (() => ({})) } as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    state,
    clock,
    hub,
    sockets,
    url: `ws://127.0.0.1:${port}/trpc`,
    async [Symbol.asyncDispose]() {
      for (const each of sockets) each.destroy()
      await handler.close()
      await hub.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
type AppServer = Awaited<ReturnType<typeof appServer>>

function rewrapped(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !(Symbol.asyncIterator in data)) return data
  return (async function* () {
    yield* data as AsyncIterable<unknown>
  })()
}

const subscribe = (id: number, path: string, input?: unknown) => ({
  id,
  method: 'subscription',
  params: { path, input },
})
const streamOf = (id: number, path: string) => subscribe(id, path, { room: 'q3' })
const wrapped = (id: number) => streamOf(id, 'wrapped.onLocation')
const paths = ['onLocation', 'wrapped.onLocation']
const stop = (id: number) => ({ id, method: 'subscription.stop' })
const dataOf = (socket: RawSocket, id: number, type: string) =>
  socket.messages.filter(
    (each) => each.id === id && JSON.stringify(each['result'] ?? null).includes(`"type":"${type}"`),
  )

const socketOf = ({ ws }: RawSocket) => (ws as unknown as { _socket: Socket })._socket

/** Stops reading and waits until a stream of the app has filled the socket. */
async function fill(server: AppServer, socket: RawSocket, id: number): Promise<void> {
  socketOf(socket).pause()
  socket.send(subscribe(id, 'flood'))
  await until('the socket is full', () => server.sockets[0]!.writableNeedDrain)
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('a WebSocket stream of the app pauses while its client does not read, and resumes when the client reads', async () => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  await fill(server, socket, 1)
  expect(server.sockets[0]!.writableLength).toBeLessThan(2 * chunk.length)
  expect(server.state.made).toBeLessThan(mostChunks)
  socketOf(socket).resume()
  // The texts are compared unparsed, because parsing 50 MB at each check would take long.
  const received = (type: string) =>
    socket.texts.filter((text) => text.startsWith(`{"id":1,"result":{"type":"${type}"`))
  await until('the stream has ended', () => received('stopped').length === 1)
  expect(received('data')).toHaveLength(mostChunks)
})

test('a WebSocket stream of the app that is paused can be stopped by its client', async () => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  await fill(server, socket, 1)
  socket.send(stop(1))
  await until('the generator has ended', () => server.state.stopped === 1)
  socketOf(socket).resume()
  await until('the stream has ended', () => dataOf(socket, 1, 'stopped').length === 1)
})

test.each(paths)('a WebSocket stream of %s waits for a client that does not read, and merges frames', async (path) => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  socket.send(streamOf(1, path))
  await until('there is a snapshot', () => dataOf(socket, 1, 'snapshot').length === 1)
  await fill(server, socket, 2)
  for (let row = 1; row <= 8; row++) {
    const posted = server.hub.room('q3').post({ memberId: 'bob', location: cell(row) })
    await until('the post is applied', () => (server.clock.advance(20), settled(posted)))
  }
  socket.send(stop(2))
  socketOf(socket).resume()
  await until('the last place is shown', () => JSON.stringify(dataOf(socket, 1, 'changes')).includes('"row":8'))
  // One frame may have been taken before the socket became full, so up to two come.
  expect(dataOf(socket, 1, 'changes').length).toBeLessThanOrEqual(2)
})

async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = {}
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending
}

test.each(paths)('revoking the member of a WebSocket stream of %s destroys the socket if it is full', async (path) => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  socket.send(streamOf(1, path))
  await until('there is a snapshot', () => dataOf(socket, 1, 'snapshot').length === 1)
  await fill(server, socket, 2)
  await server.hub.revoke('ada')
  await until('the socket is destroyed', () => server.sockets[0]!.destroyed)
})

test.each(paths)('a WebSocket with a stream of %s that is not read for frameStallMs is destroyed', async (path) => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  socket.send(streamOf(1, path))
  await until('there is a snapshot', () => dataOf(socket, 1, 'snapshot').length === 1)
  await fill(server, socket, 2)
  await server.clock.advance(server.hub.timing.frameStallMs - 1_000)
  expect(server.sockets[0]!.destroyed).toBe(false)
  await server.clock.advance(1_000)
  await until('the socket is destroyed', () => server.sockets[0]!.destroyed)
  await until('the stream is closed', () => server.hub.streams.size === 0)
})

test('a WebSocket whose only stream is wrapped by a middleware is closed when its caller becomes another member', async () => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  socket.send(wrapped(1))
  await until('there is a snapshot', () => dataOf(socket, 1, 'snapshot').length === 1)
  server.state.member = 'bob'
  await until('the socket is closed', () => (server.clock.advance(5_000), socket.closed))
  expect(socket.closed).toMatchObject({ code: 1008 })
})

test.each([
  ['each in its own message', (all: object[]) => all],
  ['all in one array', (all: object[]) => [all]],
])('a WebSocket has at most 256 subscriptions, including those of the app: %s', async (_name, messagesOf) => {
  await using server = await appServer()
  using socket = await rawSocket(server.url).opened()
  const all = Array.from({ length: 254 }, (_, id) => subscribe(id, 'quiet'))
  socket.send(...messagesOf([wrapped(1_000), subscribe(1_001, 'onLocation', { room: 'q3' })]))
  await until(
    'both location streams are open',
    () => dataOf(socket, 1_000, 'snapshot').length + dataOf(socket, 1_001, 'snapshot').length === 2,
  )
  socket.send(...messagesOf([...all, subscribe(254, 'quiet'), subscribe(255, 'onLocation', { room: 'q3' })]))
  const refused = () => socket.messages.filter(({ error }) => JSON.stringify(error ?? '').includes('at most 256'))
  await until('two subscriptions are refused', () => refused().length === 2)
  expect(refused().map(({ id }) => id)).toEqual([254, 255])
  socket.send([stop(1_000), stop(0)])
  await until(
    'two subscriptions have stopped',
    () => dataOf(socket, 0, 'stopped').length + dataOf(socket, 1_000, 'stopped').length === 2,
  )
  socket.send(subscribe(256, 'quiet'), subscribe(257, 'onLocation', { room: 'q3' }))
  await until(
    'both new subscriptions are open',
    () => dataOf(socket, 256, 'started').length + dataOf(socket, 257, 'started').length === 2,
  )
})

test('subscriptions that wait for createContext count toward the limit of 256 for a WebSocket', async () => {
  let open = () => {}
  await using server = await appServer({ context: () => new Promise((resolve) => (open = () => resolve({}))) })
  using socket = await rawSocket(server.url).opened()
  const all = Array.from({ length: 300 }, (_, id) => subscribe(id, 'quiet'))
  socket.send(all.slice(0, 200), all.slice(200))
  await socket.has(44)
  open()
  await until('256 streams are open', () => socket.texts.filter((text) => text.includes('"started"')).length === 256)
  expect(socket.messages.filter(({ error }) => error !== undefined)).toHaveLength(44)
})

test('PacedSubscriptions removes a path when the last subscription with this path has ended', () => {
  const t = initTRPC.create()
  const router = t.router({ ticks: t.procedure.subscription(async function* () {}) })
  const subscriptions = new PacedSubscriptions(router, () => null)
  const paths = () => Object.keys(subscriptions.router._def.procedures as object)
  subscriptions.add('ticks')
  subscriptions.add('ticks')
  subscriptions.add('late.anything')
  expect(paths()).toEqual(['ticks', 'late.anything'])
  subscriptions.delete('ticks')
  subscriptions.delete('late.anything')
  expect(paths()).toEqual(['ticks'])
  subscriptions.delete('ticks')
  expect(paths()).toEqual([])
})
