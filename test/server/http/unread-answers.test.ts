import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server, type Http2ServerResponse } from 'node:http2'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import express from 'express'
import { cellLocation } from 'hereabouts'
import {
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  createRequestGuard,
  type Readings,
} from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { afterEach, describe, expect, test } from 'vitest'
import { manualClock } from 'hereabouts/testing'
import { cutWhenUnread } from '../../../src/server/http/unread-answers.js'
import { systemClock } from '../../../src/shared/clock.js'
import { inputOf } from '../../support/network/raw-client.js'
import { until } from '../../support/until.js'

/* Tests clients that send requests and do not read the answers, against each way to serve the procedures. */

type App = { port: number; calls: () => number; streams: () => number; close(): Promise<unknown> }
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** The connections that the server has accepted and not closed. */
const accepted = new Set<Socket>()

/** An answer that is larger than the kernel's buffers of a connection. */
const big = 'x'.repeat(32e6)
const timing = { stallMs: 200, frameStallMs: 60_000 }

function measured() {
  let calls = 0
  let read: (() => Readings) | undefined
  const metrics = { called: () => void calls++, fannedOut() {}, streamEnded() {}, watch: (each: () => Readings) => void (read = each) } // prettier-ignore
  return { metrics, calls: () => calls, streams: () => read!().streams }
}

async function served(listener: RequestListener, rest: Omit<App, 'port' | 'close'>, end: () => Promise<void>) {
  const server = createServer(listener)
  server.on('connection', (socket) => accepted.add(socket.once('close', () => accepted.delete(socket))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => (server.closeAllConnections(), server.close(), end())
  closers.push(close)
  return { port: (server.address() as AddressInfo).port, close, ...rest }
}

function merged(times = timing) {
  const { metrics, ...rest } = measured()
  const hub = createLocationHub({ location: cellLocation, timing: times, metrics, limits: { streamBurst: 1e6 } })
  const t = initTRPC.create({ isDev: false })
  const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
  const router = t.router({
    locations,
    big: t.procedure.query(() => big),
    // Node refuses further streams of an HTTP/2 session that holds more than 10 MB.
    medium: t.procedure.query(() => big.slice(0, 2e6)),
  })
  return { hub, router, rest }
}

const ways: Record<string, () => Promise<App>> = {
  async createLocationServer() {
    const { metrics, ...rest } = measured()
    const server = createLocationServer({ location: cellLocation, anonymous: true, timing, metrics })
    const { url } = await server.listen(0)
    closers.push(() => server.close())
    return { port: Number(new URL(url).port), close: () => server.close(), ...rest }
  },
  async createLocationMiddleware() {
    const { hub, router, rest } = merged()
    return served(createLocationMiddleware({ router }), rest, () => hub.close())
  },
  async 'createLocationMiddleware in Express'() {
    const { hub, router, rest } = merged()
    return served(express().use('/trpc', createLocationMiddleware({ router })), rest, () => hub.close())
  },
  async 'createRequestGuard before tRPC in Express'() {
    const { hub, router, rest } = merged()
    const app = express().use('/trpc', createRequestGuard(), createExpressMiddleware({ router }))
    return served(app, rest, () => hub.close())
  },
  async 'createRequestGuard before tRPC in node:http'() {
    const { hub, router, rest } = merged()
    const middleware = createRequestGuard({ router })
    return served(createHTTPHandler({ router, basePath: '/trpc/', middleware }), rest, () => hub.close())
  },
}

const opened = (port: number) => connect(port, '127.0.0.1').on('error', () => {})
const isClosed = (socket: Socket) => until('the socket is closed', () => socket.closed, 10_000)

describe.each(Object.entries(ways))('pipelined requests to %s', (way, start) => {
  const prefix = way === 'createLocationServer' ? '' : 'locations.'
  const get = (path: string) => `GET /trpc/${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`
  const stream = get(`${prefix}onLocation?${inputOf({ room: 'r' })}`)
  const read = get(`${prefix}getLocations?${inputOf({ room: 'r' })}`)

  test('of six streams that a client pipelines on one socket one is open, and none after the socket has closed', async () => {
    const app = await start()
    const socket = opened(app.port)
    socket.resume().write(stream.repeat(6))
    await until('a stream is open', () => app.streams() === 1)
    // An answer on another socket shows that the server has parsed all six requests.
    const other = opened(app.port)
    other.write(read)
    await new Promise((resolve) => other.once('data', resolve))
    expect(app.streams()).toBe(1)
    socket.destroy()
    await until('no stream is open', () => app.streams() === 0)
    expect(app.calls()).toBe(2)
  })

  test('a request that a client pipelines behind an open stream is not served', async () => {
    const app = await start()
    const socket = opened(app.port)
    socket.resume().write(stream + read)
    await until('a stream is open', () => app.streams() === 1)
    const other = opened(app.port)
    other.write(read)
    await new Promise((resolve) => other.once('data', resolve))
    expect(app.calls()).toBe(2)
  })

  test('pipelined requests are answered in order', async () => {
    const app = await start()
    const socket = opened(app.port)
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
    socket.write(read + get(`${prefix}onLocation`) + get(`${prefix}countMembers?${inputOf({ rooms: ['r'] })}`))
    await until('three answers have arrived', () => text.split('HTTP/1.1').length > 3)
    expect(text).toMatch(/snapshot.*expected object.*members/s)
  })

  test('a socket on which more than 100 pipelined requests wait is closed', async () => {
    const app = await start()
    const socket = opened(app.port)
    socket.resume().write(stream + read.repeat(101))
    await isClosed(socket)
    expect(app.calls()).toBe(1)
  })
})

/** Sends a request and reads no answer. Resolves to the milliseconds until the server has closed all connections. */
async function cutAfter(port: number, request: string, whileOpen: (socket: Socket) => void = () => {}) {
  const socket = opened(port).pause()
  socket.write(request)
  const since = performance.now()
  const timer = setInterval(() => whileOpen(socket), 20)
  await until(
    'the server has closed the connection',
    () => accepted.size === 0 && performance.now() - since > 100,
    30_000,
  )
  clearInterval(timer)
  socket.destroy()
  return performance.now() - since
}

const getBig = 'GET /big HTTP/1.1\r\nhost: localhost\r\n\r\n'
async function bigApp(times = timing) {
  const { hub, router, rest } = merged(times)
  return served(createLocationMiddleware({ router }), rest, () => hub.close())
}

test('an answer that its client does not read closes the socket after stallMs', { timeout: 40_000 }, async () => {
  const { port } = await bigApp()
  expect(await cutAfter(port, getBig)).toBeLessThan(30_000)
})

test('a client that reads no answer is disconnected, even while it sends more', { timeout: 40_000 }, async () => {
  const { port } = await bigApp()
  // Sends the headers of another request without end: bytes that are not HTTP would close the connection at once.
  const send = (socket: Socket) => socket.writable && socket.write('a')
  expect(await cutAfter(port, `${getBig}GET / HTTP/1.1\r\nx-slow: `, send)).toBeLessThan(30_000)
})

test('an answer that its client reads a few bytes at a time closes the socket after frameStallMs', async () => {
  const { port } = await bigApp({ stallMs: 1_000, frameStallMs: 1_000 })
  const tookMs = await cutAfter(port, getBig, (socket) => socket.read(16_384))
  expect(tookMs).toBeGreaterThan(1_400)
})

test(
  'an answer that its client reads slowly, but within frameStallMs, arrives whole, and the connection stays open',
  { timeout: 70_000 },
  async () => {
    const { port } = await bigApp({ stallMs: 10_000, frameStallMs: 60_000 })
    const socket = opened(port).pause()
    socket.write(getBig)
    let bytes = 0
    const readSome = () => {
      for (let i = 0; i < 8; i++) bytes += (socket.read() as Buffer | null)?.length ?? 0
    }
    const timer = setInterval(readSome, 10)
    await until('the answer has arrived', () => bytes > big.length, 60_000)
    clearInterval(timer)
    socket.resume().write(getBig)
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
  },
)

describe('answers over HTTP/2', () => {
  /** Opens an HTTP/2 session. Returns a function that sends a request. */
  async function session(times = timing) {
    const { hub, router } = merged(times)
    const server = createHttp2Server(createLocationMiddleware({ router }) as never)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closers.push(async () => (client.destroy(), server.close(), hub.close()))
    return (path: string) => client.request({ ':path': path }).on('error', () => {})
  }

  test('over HTTP/2, an answer that its client does not read ends its stream after stallMs, but not the session', async () => {
    const request = await session()
    const unread = request('/medium').pause()
    await until('the server has closed the stream', () => unread.closed, 10_000)
    const read = request(`/locations.getLocations?${inputOf({ room: 'r' })}`).setEncoding('utf8')
    let text = ''
    for await (const chunk of read) text += chunk as string
    expect(text).toContain('snapshot')
  })

  test('over HTTP/2, an unread answer ends its stream after frameStallMs while the session sends other answers', async () => {
    const request = await session({ stallMs: 1_000, frameStallMs: 200 })
    const unread = request('/medium').pause()
    const timer = setInterval(() => request(`/locations.getLocations?${inputOf({ room: 'r' })}`).resume(), 50)
    await until('the server has closed the stream', () => unread.closed, 10_000)
    clearInterval(timer)
  })

  test('over HTTP/2, an event stream whose frames are read stays open while an unread answer is cut', async () => {
    const request = await session({ stallMs: 100, frameStallMs: 100 })
    const stream = request(`/locations.onLocation?${inputOf({ room: 'r' })}`).setEncoding('utf8')
    let text = ''
    stream.on('data', (chunk: string) => (text += chunk))
    await until('the snapshot has arrived', () => text.includes('snapshot'))
    const other = request('/medium').pause()
    await until('an answer that is not read is cut', () => other.closed, 10_000)
    expect(stream.closed).toBe(false)
  })

  test('over HTTP/2, an answer whose first part was read is not cut while the app prepares the rest', async () => {
    const clock = manualClock()
    const server = createHttp2Server()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closers.push(async () => (client.destroy(), server.close()))
    const answer = client
      .request({ ':path': '/' })
      .on('error', () => {})
      .setEncoding('utf8')
    const [, response] = (await once(server, 'request')) as [unknown, Http2ServerResponse]
    cutWhenUnread(response, clock, { stallMs: 100, frameStallMs: 60_000 })
    response.write('x'.repeat(1e6))
    await until('the window of the client is full', () => response.stream.writableLength > 0)
    await clock.advance(50)
    let text = ''
    answer.on('data', (chunk: string) => (text += chunk))
    await until('the first part has arrived', () => text.length === 1e6)
    await once(response.stream, 'timeout')
    response.end('the rest')
    await until('the stream is closed', () => answer.closed)
    expect(text.slice(1e6)).toBe('the rest')
  })
})

describe('a response whose client has disconnected', () => {
  /** Calls `cutWhenUnread` for a response after its client has disconnected. Returns the number of timers started. */
  async function timersOf(response: Parameters<typeof cutWhenUnread>[0], leave: () => void) {
    const isGone = new Promise((resolve) => response.once('close', resolve))
    leave()
    await isGone
    let timers = 0
    const after = () => (timers++, () => {})
    cutWhenUnread(response, { ...systemClock, after }, { stallMs: 200, frameStallMs: 200 })
    return timers
  }

  test('cutWhenUnread() starts no timer for a response whose client has already disconnected', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(async () => server.close())
    const socket = opened((server.address() as AddressInfo).port)
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const response = await new Promise<ServerResponse>((resolve) => server.once('request', (_, each) => resolve(each)))
    expect(await timersOf(response, () => socket.destroy())).toBe(0)
  })

  test('cutWhenUnread() starts no timer for an HTTP/2 response whose client has already disconnected', async () => {
    const server = createHttp2Server()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    closers.push(async () => (client.destroy(), server.close()))
    client.request({ ':path': '/' }).on('error', () => {})
    const response = await new Promise<Http2ServerResponse>((resolve) =>
      server.once('request', (_, each) => resolve(each)),
    )
    expect(await timersOf(response, () => client.destroy())).toBe(0)
  })
})
