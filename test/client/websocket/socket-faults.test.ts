import { webSocket } from 'hereabouts/client/websocket'
import { manualClock } from 'hereabouts/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Failure } from '../../../src/client/connection/failure.js'
import type { CellTypes } from '../../support/cell-types.js'

/* Faults of sockets that a real server does not produce on demand. With a real server: test/client/websocket.test.ts. */

/** A WebSocket whose server is played by the test. */
class FakeSocket extends EventTarget {
  static made: FakeSocket[] = []
  readyState = 0
  readonly sent: string[] = []
  constructor() {
    super()
    FakeSocket.made.push(this)
  }
  send(text: string) {
    this.sent.push(text)
  }
  close() {
    this.readyState = 3
  }
  open() {
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
  }
  says(text: string | object) {
    const data = typeof text === 'string' ? text : JSON.stringify(text)
    this.dispatchEvent(Object.assign(new Event('message'), { data }))
  }
  hello(id: number) {
    this.says({ id, result: { type: 'data', data: { id: 'x', data: { type: 'hello' } } } })
  }
  fails() {
    this.dispatchEvent(new Event('error'))
  }
  get messages() {
    return this.sent.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as { method: string })
  }
}

function transport(Socket: unknown = FakeSocket, transformer?: object) {
  FakeSocket.made = []
  const clock = manualClock()
  const overHttp: string[] = []
  const http = { clock, openStream: ({ room }: { room: string }) => void overHttp.push(room), shareStream: null }
  const names = { prefix: '', transformer }
  const sockets = webSocket({ url: 'http://host/trpc', WebSocket: Socket as never })<CellTypes>(http as never, names)
  const open = (room: string) => {
    const failures: Failure[] = []
    const events: string[] = []
    const close = sockets.openStream(
      { room },
      {
        opened() {},
        heard() {},
        event: (_id, { type }) => events.push(type),
        ended: (failure) => failures.push(failure),
      },
    )
    return { close, events, failures }
  }
  return { clock, open, overHttp, sockets }
}

const kind = ({ sockets }: ReturnType<typeof transport>) => sockets.state!().transport

/** Opens a socket with two streams on it. */
async function twoStreams(client: ReturnType<typeof transport>) {
  const streams = [client.open('q3'), client.open('q4')]
  await client.clock.advance(0)
  return { streams, socket: FakeSocket.made.at(-1)! }
}

describe('a WebSocket constructor that throws', () => {
  afterEach(() => vi.unstubAllGlobals())

  const Refused = function () {
    throw new Error('mixed content')
  }

  test('a WebSocket constructor that throws ends the stream and leaves no timer', async () => {
    const client = transport(Refused)
    const stream = client.open('q3')
    await client.clock.advance(0)
    expect(stream.failures.map(({ error }) => error.message)).toEqual([expect.stringContaining('mixed content')])
    await client.clock.advance(60_000)
    expect(stream.failures).toHaveLength(1)
  })

  test('WebSocket constructors that throw leave no listener on the page', async () => {
    const page = { added: 0, removed: 0 }
    vi.stubGlobal('document', { baseURI: 'http://host/' })
    vi.stubGlobal('addEventListener', () => page.added++)
    vi.stubGlobal('removeEventListener', () => page.removed++)
    const client = transport(Refused)
    client.open('q3')
    await client.clock.advance(0)
    expect(page.added - page.removed).toBe(0)
  })

  test('two WebSocket constructors in a row that throw lead to SSE', async () => {
    const client = transport(Refused)
    for (const _ of [1, 2]) {
      client.open('q3')
      await client.clock.advance(0)
    }
    expect(kind(client)).toBe('sse')
  })
})

describe('the fallback to SSE', () => {
  test('a failed socket counts as one failure even with two streams, and the second failed socket leads to SSE', async () => {
    const client = transport()
    const first = await twoStreams(client)
    first.socket.fails()
    expect(first.streams.map(({ failures }) => failures.length)).toEqual([1, 1])
    expect(kind(client)).toBe('websocket')
    const second = await twoStreams(client)
    second.socket.fails()
    expect(kind(client)).toBe('sse')
  })

  test('sockets that the client closes do not count as failures of WebSockets', async () => {
    const client = transport()
    for (const _ of [1, 2, 3]) {
      await twoStreams(client)
      client.sockets.reconnect!()
    }
    expect([kind(client), FakeSocket.made.length]).toEqual(['websocket', 3])
  })

  test('sockets that are closed on `pagehide` do not count as failures of WebSockets', async () => {
    const listeners = new Set<() => void>()
    vi.stubGlobal('document', { baseURI: 'http://host/' })
    vi.stubGlobal('addEventListener', (_: string, hide: () => void) => listeners.add(hide))
    vi.stubGlobal('removeEventListener', (_: string, hide: () => void) => listeners.delete(hide))
    const client = transport()
    for (const _ of [1, 2, 3]) {
      await twoStreams(client)
      for (const hide of listeners) hide()
    }
    vi.unstubAllGlobals()
    expect([kind(client), FakeSocket.made.length, listeners.size]).toEqual(['websocket', 3, 0])
  })

  test('sockets that fail after a hello do not count as failures of WebSockets', async () => {
    const client = transport()
    for (const _ of [1, 2, 3]) {
      const { socket, streams } = await twoStreams(client)
      socket.open()
      socket.hello(1)
      socket.fails()
      expect(streams.map(({ failures }) => failures.length)).toEqual([1, 1])
    }
    const { socket } = await twoStreams(client)
    socket.fails()
    expect(kind(client)).toBe('websocket')
  })
})

describe('a stream without a hello', () => {
  /** Opens a socket with one stream that has had its hello, and a second stream without one. */
  async function withSecondStream() {
    const client = transport()
    const healthy = client.open('q3')
    await client.clock.advance(0)
    const socket = FakeSocket.made[0]!
    socket.open()
    await client.clock.advance(0)
    socket.hello(1)
    const second = client.open('q4')
    await client.clock.advance(0)
    return { client, healthy, second, socket }
  }

  test('a stream without a hello for 4 s ends alone while its socket answers PING', async () => {
    const { client, healthy, second, socket } = await withSecondStream()
    expect(socket.sent.at(-1)).toBe('PING')
    socket.says('PONG')
    await client.clock.advance(4_000)
    expect([healthy.failures.length, second.failures.length]).toEqual([0, 1])
    expect(socket.messages.at(-1)).toEqual({ id: 2, method: 'subscription.stop' })
    expect([socket.readyState, kind(client)]).toEqual([1, 'websocket'])
  })

  test('a stream that has ended without a hello does not keep its socket open', async () => {
    const { client, healthy, second, socket } = await withSecondStream()
    socket.says('PONG')
    await client.clock.advance(4_000)
    expect(second.failures).toHaveLength(1)
    healthy.close()
    await client.clock.advance(1_000)
    expect(socket.readyState).toBe(3)
  })

  test('a post over a WebSocket sends no PING', async () => {
    const { client, socket } = await withSecondStream()
    const before = socket.sent.length
    void client.sockets.post({ room: 'q3' } as never, 1_000).catch(() => {})
    expect(socket.sent.slice(before)).toEqual([expect.stringContaining('postLocation')])
  })

  test('a stream that the server stops ends alone, and its socket closes a second after the last stream', async () => {
    const { client, healthy, second, socket } = await withSecondStream()
    socket.says({ id: 2, result: { type: 'stopped' } })
    expect([healthy.failures.length, second.failures.length]).toEqual([0, 1])
    healthy.close()
    await client.clock.advance(1_000)
    expect(socket.readyState).toBe(3)
  })

  test('a socket that does not answer PING for 4 s is closed with all of its streams', async () => {
    const { client, healthy, second, socket } = await withSecondStream()
    await client.clock.advance(4_000)
    expect([healthy.failures.length, second.failures.length, socket.readyState]).toEqual([1, 1, 3])
  })

  test('a stream without a hello for 4 s that is the only one ends, and its socket stays open if it answers PING', async () => {
    const client = transport()
    const stream = client.open('q3')
    await client.clock.advance(0)
    const socket = FakeSocket.made[0]!
    socket.open()
    await client.clock.advance(0)
    expect(socket.sent.at(-1)).toBe('PING')
    socket.says('PONG')
    await client.clock.advance(4_000)
    expect([stream.failures.length, socket.readyState]).toEqual([1, 1])
  })
})

describe('a transformer that throws', () => {
  const thrower = () => {
    throw new Error('no such type')
  }
  const plain = (value: unknown) => value
  const of = (input: Partial<typeof both>, output: Partial<typeof both> = {}) => ({
    input: { ...both, ...input },
    output: { ...both, ...output },
  })
  const both = { serialize: plain, deserialize: plain }
  /** A client with an open socket that has one stream. */
  async function withStream(transformer: object) {
    const client = transport(FakeSocket, transformer)
    const stream = client.open('q3')
    await client.clock.advance(0)
    const socket = FakeSocket.made[0]
    socket?.open()
    await client.clock.advance(0)
    return { client, stream, socket }
  }
  const post = ({ sockets }: ReturnType<typeof transport>, input: object = { room: 'q3' }) =>
    sockets.post(input as never, 20_000).then(
      () => 'accepted',
      (error: Error) => error.message,
    )

  test('a reply to a post that the transformer cannot read fails that post alone, at once', async () => {
    const { client, stream, socket } = await withStream(of({}, { deserialize: thrower }))
    const outcome = post(client)
    socket!.says({ id: -1, result: { type: 'data', data: {} } })
    expect(await outcome).toBe('no such type')
    expect([stream.failures.length, socket!.readyState]).toEqual([0, 1])
  })

  test('an event that the transformer cannot read ends the stream with its socket', async () => {
    const { stream, socket } = await withStream(of({}, { deserialize: thrower }))
    socket!.hello(1)
    expect([stream.failures.length, socket!.readyState]).toEqual([1, 3])
  })

  test('a stream whose input the transformer cannot write ends, and leaves no timer', async () => {
    const { client, stream } = await withStream(of({ serialize: thrower }))
    expect(stream.failures.map(({ error }) => error.message)).toEqual([expect.stringContaining('no such type')])
    await client.clock.advance(60_000)
    expect(stream.failures).toHaveLength(1)
  })

  test('a post that is not JSON fails, and does not keep the socket open', async () => {
    const { client, stream, socket } = await withStream(of({}))
    expect(await post(client, { room: 1n })).toContain('BigInt')
    stream.close()
    await client.clock.advance(1_000)
    expect(socket!.readyState).toBe(3)
  })
})
