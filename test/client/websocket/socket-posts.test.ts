import { webSocket } from 'hereabouts/client/websocket'
import { describe, expect, test, vi } from 'vitest'
import { cut, type Failure } from '../../../src/client/connection/failure.js'
import { sseFallback } from '../../../src/client/websocket/sse-fallback.js'
import type { CellTypes } from '../../support/cell-types.js'
import { recordCollections } from '../../support/collections.js'
import { countedClock } from '../../support/counted-clock.js'
import { settled } from '../../support/servers/memory-server.js'
import { tagged } from '../../support/tagged.js'

/* Requests on a WebSocket whose server is played by the test. Faults of the socket itself: socket-faults.test.ts. */

class FakeSocket extends EventTarget {
  static made: FakeSocket[] = []
  readyState = 0
  readonly sent: string[] = []
  readonly url: string
  constructor(url: string) {
    super()
    this.url = url
    FakeSocket.made.push(this)
  }
  send(text: string) {
    this.sent.push(text)
  }
  close() {
    this.readyState = 3
  }
  async open() {
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
    await settled()
  }
  says(message: object | string) {
    const data = typeof message === 'string' ? message : JSON.stringify(message)
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
  ends(code = 1006) {
    this.dispatchEvent(Object.assign(new Event('close'), { code }))
  }
  get messages() {
    const texts = this.sent.filter((text) => text.startsWith('{'))
    return texts.map((text) => JSON.parse(text) as { id: number; method: string; params?: { path: string } })
  }
}

function client(options: object = {}, names: object = {}) {
  FakeSocket.made = []
  const clock = countedClock()
  const overHttp: string[] = []
  const http = {
    clock,
    openStream: () => {
      overHttp.push('stream')
      return () => {}
    },
    post: async () => {
      overHttp.push('post')
      return {}
    },
    shareStream: () => {
      overHttp.push('shared stream')
      return () => {}
    },
    reconnect: () => void overHttp.push('reconnect'),
  }
  const given = { url: 'http://host/trpc', WebSocket: FakeSocket as never, ...options }
  const transport = webSocket(given)<CellTypes>(http as never, { prefix: '', transformer: undefined, ...names })
  const open = (room = 'r') => {
    const failures: Failure[] = []
    const heard: string[] = []
    const close = transport.openStream(
      { room },
      {
        opened: () => void heard.push('opened'),
        heard: () => {},
        event: (id, { type }) => void heard.push(`${id} ${type}`),
        ended: (failure) => void failures.push(failure),
      },
    )
    return { close, failures, heard }
  }
  const post = (deadlineMs = 20_000) => {
    const settledAs: unknown[] = []
    transport.post({ room: 'r', location: null }, deadlineMs).then(
      (reply) => settledAs.push(reply),
      (error: unknown) => settledAs.push(error),
    )
    return settledAs
  }
  return { clock, overHttp, transport, open, post }
}
type Client = ReturnType<typeof client>

/** Opens a socket on which one stream has begun. */
async function live(options: object = {}, names: object = {}) {
  const opened = client(options, names)
  const stream = opened.open()
  await opened.clock.advance(0)
  const socket = FakeSocket.made[0]!
  await socket.open()
  socket.says({ id: 1, result: { type: 'data', data: { id: 'x', data: { type: 'hello' } } } })
  return { ...opened, stream, socket }
}
const data = (id: number, value: object) => ({ id, result: { type: 'data', data: value } })

describe('a post over a WebSocket', () => {
  test('a post over a WebSocket resolves with its own answer, and leaves no timer', async () => {
    const { clock, post, socket, overHttp } = await live()
    const before = clock.pending
    const [first, second] = [post(), post()]
    const [one, two] = socket.messages.slice(-2).map(({ id }) => id)
    expect(socket.messages.at(-1)).toMatchObject({ method: 'mutation', params: { path: 'postLocation' } })
    expect(clock.pending).toBe(before + 2)
    socket.says(data(two!, { seq: 2 }))
    socket.says(data(one!, { seq: 1 }))
    await settled()
    expect([first, second, overHttp, clock.pending]).toEqual([[{ seq: 1 }], [{ seq: 2 }], [], before])
  })

  test('a post over a WebSocket that gets no answer is given up at its deadline, and a late answer is ignored', async () => {
    const { clock, post, socket } = await live()
    const answer = post(3_000)
    const { id } = socket.messages.at(-1)!
    await clock.advance(2_999)
    expect(answer).toEqual([])
    await clock.advance(1)
    expect(answer).toMatchObject([{ name: 'LocationError', code: 'network' }])
    socket.says(data(id, { seq: 1 }))
    await settled()
    expect([answer.length, socket.readyState]).toEqual([1, 1])
  })

  test('a post over a WebSocket that the server refuses rejects with the message and the data of the refusal', async () => {
    const { post, socket } = await live()
    const answer = post()
    const error = { message: 'forbidden: No.', data: { httpStatus: 403 } }
    socket.says({ id: socket.messages.at(-1)!.id, error })
    await settled()
    expect(answer).toEqual([{ ...error, shape: error }])
  })

  test('a post over a WebSocket rejects when the socket closes, and the next one is sent over HTTP', async () => {
    const { post, socket, overHttp } = await live()
    const answer = post()
    socket.ends()
    await settled()
    expect(answer).toMatchObject([{ code: 'network' }])
    post()
    expect(overHttp).toEqual(['post'])
  })

  test('a post is sent over HTTP while the socket is not open, and while SSE is used', async () => {
    const opened = client()
    opened.post()
    opened.open()
    await opened.clock.advance(0)
    opened.post()
    expect(opened.overHttp).toEqual(['post', 'post'])
    await FakeSocket.made[0]!.open()
    opened.post()
    expect(opened.overHttp).toHaveLength(2)
    // Two sockets without a hello lead to SSE, while the third one would work.
    await failedSockets(opened, 2)
    opened.post()
    expect(opened.overHttp.at(-1)).toBe('post')
  })
})

/** Lets sockets fail before a hello. */
async function failedSockets({ open, clock }: Client, count: number) {
  for (let i = 0; i < count; i++) {
    open()
    await clock.advance(0)
    FakeSocket.made.at(-1)!.ends()
    await settled()
  }
}

describe('streams on a WebSocket', () => {
  test('a stream that is closed before its socket opens is neither requested nor stopped', async () => {
    const opened = client()
    const [given, kept] = [opened.open('given up'), opened.open('kept')]
    await opened.clock.advance(0)
    given.close()
    await FakeSocket.made[0]!.open()
    expect(FakeSocket.made[0]!.messages.map(({ id, method }) => [id, method])).toEqual([[2, 'subscription']])
    kept.close()
    expect(FakeSocket.made[0]!.messages.at(-1)).toEqual({ id: 2, method: 'subscription.stop' })
  })

  test('a stream that is closed at once opens no socket', async () => {
    const opened = client()
    opened.open().close()
    await opened.clock.advance(10_000)
    expect([FakeSocket.made, opened.clock.pending]).toEqual([[], 0])
  })

  test('a stream that was closed hears nothing more, and is stopped once', async () => {
    const { stream, socket } = await live()
    stream.close()
    stream.close()
    const { length } = stream.heard
    socket.says(data(1, { id: 'y', data: { type: 'beat' } }))
    socket.ends()
    expect([stream.heard.length, stream.failures]).toEqual([length, []])
    expect(socket.messages.filter(({ method }) => method === 'subscription.stop')).toHaveLength(1)
  })

  test('a socket is closed a second after its last stream, unless another one has begun meanwhile', async () => {
    const { stream, socket, open, clock } = await live()
    stream.close()
    await clock.advance(999)
    const next = open()
    await clock.advance(0)
    await clock.advance(2_000)
    expect(socket.readyState).toBe(1)
    next.close()
    await clock.advance(1_000)
    expect([socket.readyState, clock.pending]).toEqual([3, 0])
    open()
    await clock.advance(0)
    expect(FakeSocket.made).toHaveLength(2)
  })

  test('a socket that did not open within four seconds is closed, and its timer does not outlast it', async () => {
    const opened = client()
    const stream = opened.open()
    await opened.clock.advance(3_999)
    expect(stream.failures).toEqual([])
    await opened.clock.advance(1)
    expect([stream.failures.length, FakeSocket.made[0]!.readyState]).toEqual([1, 3])
    await opened.clock.advance(1_000)
    expect(opened.clock.pending).toBe(0)
  })

  test('the four seconds for a hello begin with each stream, and end with its hello', async () => {
    const { stream, socket, open, clock } = await live()
    await clock.advance(60_000)
    expect(stream.failures).toEqual([])
    const second = open()
    await clock.advance(0)
    socket.says('PONG')
    await clock.advance(3_999)
    expect(second.failures).toEqual([])
    await clock.advance(1)
    expect([second.failures.length, stream.failures.length]).toEqual([1, 0])
  })
})

describe('messages on a WebSocket', () => {
  test('a PING of the server is answered, and counts as a sign of life', async () => {
    const { socket } = await live()
    socket.says('PING')
    expect(socket.sent.at(-1)).toBe('PONG')
  })

  test.each([
    ['no JSON', '{'],
    ['more than 8 MiB', 'x'.repeat(8 * 2 ** 20 + 1)],
  ])('a message of %s closes the socket with an error that is retried', async (_, text) => {
    const { stream, socket } = await live()
    socket.says(text)
    expect(stream.failures).toMatchObject([{ retry: true, error: { code: 'network' } }])
    expect(socket.readyState).toBe(3)
  })

  test('binary messages and answers to unknown requests are ignored', async () => {
    const { stream, socket } = await live()
    socket.dispatchEvent(Object.assign(new Event('message'), { data: new Uint8Array(3) }))
    socket.says(data(77, {}))
    socket.says({ id: 78, error: { message: 'no' } })
    socket.says({ id: null })
    expect([stream.failures, socket.readyState]).toEqual([[], 1])
  })

  test('the reason that the server gives before it closes a socket is the reason of its streams', async () => {
    const { stream, socket } = await live()
    socket.says({ id: null, error: { message: 'unavailable: The server drains.', data: { httpStatus: 503 } } })
    socket.ends()
    expect(stream.failures).toMatchObject([{ retry: true, error: { code: 'unavailable' } }])
  })

  test('a stream is told that it was started, and ends when it is refused', async () => {
    const { stream, socket } = await live()
    socket.says({ id: 1, result: { type: 'started' } })
    expect(stream.heard.at(-1)).toBe('opened')
    socket.says({ id: 1, error: { message: 'forbidden: No.', data: { httpStatus: 403 } } })
    expect(stream.failures).toMatchObject([{ retry: false, error: { code: 'forbidden' } }])
  })
})

describe('the options of a WebSocket', () => {
  test('the URL of the socket has its protocol, and says whether parameters follow', async () => {
    for (const [url, connectionParams, expected] of [
      ['http://host/trpc', undefined, 'ws://host/trpc'],
      ['https://host/trpc', undefined, 'wss://host/trpc'],
      [new URL('wss://host/trpc'), undefined, 'wss://host/trpc'],
      ['http://host/trpc', () => ({ token: 'a' }), 'ws://host/trpc?connectionParams=1'],
    ] as const) {
      const opened = client({ url, ...(connectionParams && { connectionParams }) })
      opened.open()
      await opened.clock.advance(0)
      expect(FakeSocket.made[0]!.url).toBe(expected)
    }
  })

  test('the connection parameters are asked for each socket, and are its first message', async () => {
    let token = 0
    const opened = client({ connectionParams: async () => ({ token: `${++token}` }) })
    for (const expected of ['1', '2']) {
      opened.open()
      await opened.clock.advance(0)
      const socket = FakeSocket.made.at(-1)!
      await socket.open()
      expect(JSON.parse(socket.sent[0]!)).toEqual({ method: 'connectionParams', data: { token: expected } })
      opened.transport.reconnect!()
    }
  })

  test('connection parameters that fail end the socket with that error', async () => {
    const opened = client({ connectionParams: () => Promise.reject(new Error('signed out')) })
    const stream = opened.open()
    await opened.clock.advance(0)
    await FakeSocket.made[0]!.open()
    expect(stream.failures).toMatchObject([{ error: { message: 'signed out' } }])
    expect(FakeSocket.made[0]!.readyState).toBe(3)
  })

  test('the prefix and the transformer apply to posts and streams', async () => {
    const opened = client({}, { prefix: 'app.', transformer: tagged })
    const stream = opened.open()
    await opened.clock.advance(0)
    const socket = FakeSocket.made[0]!
    await socket.open()
    expect(socket.messages[0]).toMatchObject({ params: { path: 'app.onLocation', input: { tagged: '{"room":"r"}' } } })
    socket.says(data(1, { tagged: JSON.stringify({ id: 'x', data: { type: 'hello' } }) }))
    expect(stream.heard).toEqual(['x hello'])
    const answer = opened.post()
    expect(socket.messages.at(-1)).toMatchObject({
      params: { path: 'app.postLocation', input: { tagged: expect.any(String) as string } },
    })
    socket.says(data(socket.messages.at(-1)!.id, { tagged: '{"seq":4}' }))
    await settled()
    expect(answer).toEqual([{ seq: 4 }])
  })

  test('a transformer may differ for inputs and outputs', async () => {
    const plain = { serialize: (value: unknown) => value, deserialize: (value: unknown) => value }
    const opened = client({}, { transformer: { input: tagged, output: plain } })
    const stream = opened.open()
    await opened.clock.advance(0)
    const socket = FakeSocket.made[0]!
    await socket.open()
    expect(socket.messages[0]).toMatchObject({ params: { input: { tagged: '{"room":"r"}' } } })
    socket.says(data(1, { id: 'x', data: { type: 'hello' } }))
    expect(stream.heard).toEqual(['x hello'])
  })

  test('without the option `WebSocket`, the global one is used; without any, the stream ends', async () => {
    vi.stubGlobal('WebSocket', FakeSocket)
    const opened = client({ WebSocket: undefined })
    opened.open()
    await opened.clock.advance(0)
    expect(FakeSocket.made).toHaveLength(1)
    vi.stubGlobal('WebSocket', undefined)
    const other = client({ WebSocket: undefined })
    const stream = other.open()
    await other.clock.advance(0)
    expect(stream.failures[0]?.error.message).toContain('has no WebSocket')
    vi.unstubAllGlobals()
  })
})

describe('`reconnect()` of a client over a WebSocket', () => {
  test('`reconnect()` closes the socket, tells its streams and the HTTP transport, and tries WebSockets again', async () => {
    const { stream, socket, transport, overHttp } = await live()
    transport.reconnect!()
    expect([socket.readyState, stream.failures.length, overHttp]).toEqual([3, 1, ['reconnect']])
    const opened = client()
    await failedSockets(opened, 2)
    expect(opened.transport.state!()).toEqual({ transport: 'sse' })
    opened.transport.reconnect!()
    expect(opened.transport.state!()).toEqual({ transport: 'websocket' })
  })
})

describe('the fallback to SSE', () => {
  test('a socket that worked ends the count of failures: only two failures in a row lead to SSE', async () => {
    const opened = client()
    await failedSockets(opened, 1)
    opened.open()
    await opened.clock.advance(0)
    await FakeSocket.made.at(-1)!.open()
    FakeSocket.made.at(-1)!.says(data(1, { id: 'x', data: { type: 'hello' } }))
    FakeSocket.made.at(-1)!.ends()
    await failedSockets(opened, 1)
    expect(opened.transport.state!()).toEqual({ transport: 'websocket' })
    await failedSockets(opened, 1)
    expect(opened.transport.state!()).toEqual({ transport: 'sse' })
  })

  test('SSE is used for five minutes, and once more after the next failure', async () => {
    const opened = client()
    expect(opened.transport.shareStream).toBe(null)
    await failedSockets(opened, 2)
    opened.open()
    expect(opened.overHttp).toEqual(['stream'])
    expect(opened.transport.shareStream).not.toBe(null)
    await opened.clock.advance(299_999)
    expect(opened.transport.state!()).toEqual({ transport: 'sse' })
    await opened.clock.advance(1)
    expect(opened.transport.state!()).toEqual({ transport: 'websocket' })
    await failedSockets(opened, 1)
    expect(opened.transport.state!()).toEqual({ transport: 'sse' })
  })

  test('an SSE stream that ends before its first event shows that WebSockets were not the cause', () => {
    let now = 0
    const fallback = sseFallback(() => now)
    const told: string[] = []
    const listener = {
      heard: () => void told.push('heard'),
      event: (id: string, _event: { type: string }) => void told.push(id),
      ended: (_failure: Failure) => void told.push('ended'),
    }
    const fail = () => {
      fallback.failed()
      fallback.failed()
    }
    fail()
    const begun = fallback.watch(listener)
    begun.heard()
    begun.event('x', { type: 'hello' })
    begun.ended(cut('later'))
    expect([fallback.isActive(), told]).toEqual([true, ['heard', 'x', 'ended']])
    fallback.watch(listener).ended(cut('at once'))
    expect([fallback.isActive(), told.at(-1)]).toEqual([false, 'ended'])
    fallback.failed()
    expect(fallback.isActive()).toBe(false)
    fallback.failed()
    expect(fallback.isActive()).toBe(true)
    now = 300_000
    expect(fallback.isActive()).toBe(false)
  })
})

test('a WebSocket remembers no request that has ended, however it ended', async () => {
  const recorded = recordCollections()
  const { open, post, socket, clock } = await live()
  for (let i = 0; i < 60; i++) {
    const streams = [open(), open(), open(), open()]
    await clock.advance(0)
    const ids = socket.messages.slice(-4).map(({ id }) => id)
    streams[0]!.close()
    socket.says({ id: ids[1], result: { type: 'stopped' } })
    socket.says({ id: ids[2], error: { message: 'forbidden: No.' } })
    socket.says('PONG')
    const posts = [post(), post(), post(10)]
    const calls = socket.messages.slice(-3).map(({ id }) => id)
    socket.says(data(calls[0]!, {}))
    socket.says({ id: calls[1], error: { message: 'forbidden: No.' } })
    await clock.advance(4_000)
    expect(streams[3]!.failures).toHaveLength(1)
    expect(posts.map(({ length }) => length)).toEqual([1, 1, 1])
  }
  expect(recorded.largest()).toBeLessThan(8)
  recorded.stop()
})
