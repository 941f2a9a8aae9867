import { createServer } from 'node:http'
import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationWebSocketHandler } from 'hereabouts/server/websocket'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { until } from '../../support/until.js'

/* Each option of the WebSocket handler takes effect. */

const hello = (id: number) => ({ id, method: 'query', params: { path: 'hello' } })

async function handled(options: object = {}, { ownServer = false, sockets = 100 } = {}) {
  const hub = createLocationHub({ location: cellLocation, limits: { sockets } })
  const t = initTRPC.context<object>().create({ isDev: false })
  const router = t.router({
    ...createLocationRouter({ hub, procedure: t.procedure, anonymous: true }),
    hello: t.procedure.query(({ ctx }) => `hello ${JSON.stringify(ctx)}`),
    fail: t.procedure.query(() => {
      throw new Error('no')
    }),
  })
  const server = createServer()
  const wss = ownServer ? new WebSocketServer({ server }) : undefined
  const handler = createLocationWebSocketHandler({ ...(wss ? { wss } : { server }), router, ...options } as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  onTestFinished(async () => {
    await handler.close()
    await hub.close()
    for (const ws of wss?.clients ?? []) ws.terminate()
    await new Promise((resolve) => server.close(resolve))
  })
  const open = (path = '/trpc', headers: Record<string, string> = {}) => {
    const socket = rawSocket(`ws://127.0.0.1:${port}${path}`, headers)
    onTestFinished(() => socket.ws.terminate())
    return socket
  }
  return { handler, server, wss, open }
}

test('the option path is the only path with sockets', async () => {
  const { open } = await handled({ path: '/here' })
  await open('/here?x=1').opened()
  const elsewhere = open('/trpc')
  await until('the socket is refused', () => elsewhere.refused)
  expect(elsewhere.refused).toBe(404)
})

test('the option createContext makes the context of calls, from the request of the socket', async () => {
  const createContext = ({ req }: { req: { headers: Record<string, string> } }) => ({ user: req.headers['x-user'] })
  const socket = await (await handled({ createContext })).open('/trpc', { 'x-user': 'ada' }).opened()
  socket.send(hello(1))
  expect(JSON.stringify(await socket.find('a reply', ({ id }) => id === 1))).toContain('ada')
})

test('the option onError gets the errors of location procedures and of the app', async () => {
  const paths: string[] = []
  const { open } = await handled({ onError: ({ path }: { path: string }) => void paths.push(path) })
  const socket = await open().opened()
  socket.send({ id: 1, method: 'query', params: { path: 'getLocations', input: { room: '' } } })
  socket.send({ id: 2, method: 'query', params: { path: 'fail' } })
  await socket.has(2)
  expect(paths.toSorted()).toEqual(['fail', 'getLocations'])
})

test.each([false, true])(
  'the option requestGuard turns the check of the origin off, with a server of ws: %s',
  async (ownServer) => {
    const foreign = { origin: 'https://evil.example' }
    const guarded = (await handled({}, { ownServer })).open('/trpc', foreign)
    await until('the socket is refused', () => guarded.refused ?? guarded.closed)
    expect(guarded.refused ?? guarded.closed?.code).toBe(ownServer ? 1008 : 403)
    const socket = await (await handled({ requestGuard: false }, { ownServer })).open('/trpc', foreign).opened()
    socket.send(hello(1))
    await socket.has(1)
  },
)

test.each([
  [{ maxBatchSize: 2 }, 'exceeds maximum size'],
  [{}, 'hello'],
])('the option maxBatchSize limits the calls of the app in one message: %j', async (options, answer) => {
  const socket = await (await handled(options)).open().opened()
  socket.send([hello(1), hello(2), hello(3)])
  await socket.has(3)
  for (const text of socket.texts) expect(text).toContain(answer)
})

test.each([
  [{ maxMessageBytes: 200 }, 1009],
  [{}, undefined],
])('the option maxMessageBytes closes the socket of a longer message: %j', async (options, code) => {
  const socket = await (await handled(options)).open().opened()
  socket.send({ ...hello(1), params: { path: 'hello', input: 'x'.repeat(300) } })
  await until('the socket is closed or has an answer', () => socket.closed ?? socket.texts.length > 0)
  expect(socket.closed?.code).toBe(code)
})

test('a server of ws with too many sockets closes the next one with 1012', async () => {
  const { open, handler } = await handled({}, { ownServer: true, sockets: 1 })
  await open().opened()
  await until('the socket is counted', () => handler.size === 1)
  expect(await open().closing()).toMatchObject({ code: 1012 })
})

test.each([false, true])(
  'a closed handler leaves no listener and no socket, with a server of ws: %s',
  async (ownServer) => {
    const { handler, server, wss, open } = await handled({}, { ownServer })
    const socket = await open().opened()
    await until('the socket is counted', () => handler.size === 1)
    const before = [server.listenerCount('upgrade'), wss?.listenerCount('connection') ?? 1]
    await handler.close()
    expect(await socket.closing()).toMatchObject({ code: 1012 })
    expect(handler.size).toBe(0)
    expect([server.listenerCount('upgrade'), wss?.listenerCount('connection') ?? 0]).toEqual([
      before[0]! - (ownServer ? 0 : 1),
      before[1]! - 1,
    ])
  },
)
