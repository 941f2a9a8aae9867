import { once } from 'node:events'
import { connect } from 'node:http2'
import { LocationError } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { asked, get, inputOf, post, rawClient, type RawClient } from '../../support/network/raw-client.js'
import { tagged } from '../../support/tagged.js'
import {
  alike,
  hasSeparators,
  quiet,
  seenOf,
  seenOfStream,
  twins,
  type Twin,
  type TwinOptions,
} from '../../support/servers/twins.js'
import { until } from '../../support/until.js'

/* Compares streams under tRPC's middleware and under ours, from their headers to their end. */

const live = (input: unknown = { room: 'q3' }, procedure = 'locations.onLocation') =>
  `/trpc/${procedure}?${inputOf(input)}`
const key = 'k'.repeat(22)

/** Returns the head and the events of one stream: its first events, and the events of two moves. */
async function moved(twin: Twin, request: Buffer, atOnce = 3, before?: RawClient) {
  using client = rawClient(twin.port)
  client.send(request)
  await client.events(atOnce)
  await twin.post('q3', 1, 4)
  await client.events(atOnce + 1)
  await twin.post('q3', 1, 5)
  const seen = await seenOfStream(client, atOnce + 2)
  before?.leave()
  client.leave()
  await quiet(twin)
  return seen
}

/** Returns the whole response of a stream that the server ends, and the next response on the same connection. */
async function ended(twin: Twin, request: Buffer, run?: (twin: Twin) => unknown) {
  using client = rawClient(twin.port)
  client.send(request)
  if (run) await client.events(3)
  await run?.(twin)
  const answer = await client.answer()
  if (run) await quiet(twin)
  client.send(get('/trpc/version'))
  const next = await client.answer(1).catch(() => null)
  return { answer: seenOf(answer), next: next && seenOf(next) }
}

const cookies = {
  responseMeta: ({ ctx, type, eagerGeneration }: { ctx?: unknown; type: string; eagerGeneration?: boolean }) => ({
    status: 202,
    headers: new Headers([
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2'],
      ['x-meta', `${type} ${eagerGeneration} ${JSON.stringify(ctx)}`],
      ['cache-control', 'private'],
    ]),
  }),
}
const partial: TwinOptions['createContext'] = ({ req }) => {
  ;(req as unknown as { res: { statusCode: number } }).res.statusCode = 206
  return { user: 'ada' }
}
const sse = (options: object): TwinOptions => ({ trpc: { sse: options } })

describe('the SSE response of our middleware', () => {
  const separated: [string, Buffer, TwinOptions][] = [
    [
      'to a path with the separator ~',
      get(live(undefined, 'deep~presence~onLocation')),
      { trpc: { pathSeparator: '~' } },
    ],
    [
      'to a path with dots, when the separator is ~',
      get(live(undefined, 'deep.presence.onLocation')),
      { trpc: { pathSeparator: '~' } },
    ],
  ]
  const cases: [string, Buffer, TwinOptions?][] = [
    ['of a room', get(live())],
    ['of a connection', get(live({ room: 'q3', connectionKey: key }))],
    ['of a procedure two routers deep', get(live(undefined, 'deep.presence.onLocation'))],
    ['of a procedure three routers deep', get(live(undefined, 'deep.deeper.presence.onLocation'))],
    ['of a router that is loaded lazily', get(live(undefined, 'late.onLocation'))],
    [
      'to the headers of a native EventSource',
      get(live(), { headers: { accept: 'text/event-stream', 'cache-control': 'no-cache' } }),
    ],
    ['to a request with a Content-Type', get(live(), { headers: { 'content-type': 'application/json' } })],
    ['to a URL with connection parameters', get(`${live()}&connectionParams=${encodeURIComponent('{"token":"t"}')}`)],
    ['to a request with unknown query parameters', get(`${live()}&since=1&since=2`)],
    ['to a URL with a fragment', get(`${live()}#there`)],
    ['to a path that is percent-encoded', get(live(undefined, 'locations%2EonLocation'))],
    ['to a Host header that contains a path', get(live(), { headers: { host: 'a/b' } })],
    ['to an IPv6 Host header', get(live(), { headers: { host: '[::1]:80' } })],
    ['in HTTP/1.0', get(live(), { version: '1.0' })],
    ['with Connection: close', get(live(), { headers: { connection: 'close' } })],
    [
      'to a POST that overrides the method',
      asked('POST', '/trpc/locations.onLocation', {
        headers: { 'content-type': 'application/json' },
        body: '{"room":"q3"}',
      }),
      { middleware: { allowMethodOverride: true } },
    ],
    ['with a transformer', get(live(tagged.serialize({ room: 'q3' }))), { trpc: { transformer: tagged } }],
    ['with tRPC options for the client', get(live()), sse({ client: { reconnectAfterInactivityMs: 5_000 } })],
    ['with status, headers and cookies of responseMeta', get(live()), { middleware: cookies }],
    ['with a status that the context set', get(live()), { createContext: partial }],
    ['with pings that are rarer than the events', get(live()), sse({ ping: { enabled: true, intervalMs: 60_000 } })],
    ['with an infinite ping interval', get(live()), sse({ ping: { enabled: true, intervalMs: Infinity } })],
    ['of a stream that a middleware wraps', get(live(undefined, 'wrapped.onLocation'))],
    ...(hasSeparators ? separated : []),
  ]
  test.for(cases)('the SSE response %s has the same bytes as from stock tRPC', async ([, request, options]) => {
    await using pair = await twins(options)
    const { events } = await alike(pair, (twin) => moved(twin, request))
    expect(events.at(-1)).toContain('changed')
    expect(pair.ours.said).toContainEqual({ aborted: expect.any(String), reason: 'AbortError' })
  })

  test("two SSE responses each have the headers that the app's responseMeta returns for their caller, as with stock tRPC", async () => {
    await using pair = await twins({ middleware: cookies })
    for (const user of ['ada', 'bob']) {
      const request = get(live(), { headers: { 'x-user': user } })
      const { headers } = await alike(pair, (twin) => moved(twin, request))
      expect(headers.join()).toContain(user)
    }
  })

  test('the SSE response of our middleware contains the same pings as that of stock tRPC', async () => {
    await using pair = await twins(sse({ ping: { enabled: true, intervalMs: 50 } }))
    const { events } = await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(get(live()))
      const seen = await seenOfStream(client, 6)
      client.leave()
      await quiet(twin)
      return seen
    })
    expect(events.slice(3)).toEqual(Array(3).fill('event: ping\ndata: \n\n\n'))
  })
})

describe('resuming a stream', () => {
  const ways: [string, (id: string) => Buffer][] = [
    ['from the id in the Last-Event-ID header', (id) => get(live(), { headers: { 'Last-Event-ID': id } })],
    ['from the id in the query parameter lastEventId', (id) => get(`${live()}&lastEventId=${id}`)],
    ['from the id in the query parameter Last-Event-Id', (id) => get(`${live()}&Last-Event-Id=${id}`)],
    ['from the id in its input', (id) => get(live({ room: 'q3', lastEventId: id }))],
    [
      'from the header, when header and input have different ids',
      (id) => get(live({ room: 'q3', lastEventId: 'x.1' }), { headers: { 'last-event-id': id } }),
    ],
    [
      'from its input, when the header is empty',
      (id) => get(live({ room: 'q3', lastEventId: id }), { headers: { 'last-event-id': '' } }),
    ],
    ['from an id that nobody issued: not at all', () => get(live(), { headers: { 'last-event-id': 'AAAAAAAAAAA.1' } })],
  ]
  test.for(ways)('a stream resumes %s, as with stock tRPC', async ([name, request]) => {
    await using pair = await twins()
    const { events } = await alike(pair, async (twin) => {
      for (const key of [1, 2, 3, 4]) await twin.post('q3', key, key)
      using before = rawClient(twin.port)
      before.send(get(live()))
      const [, , snapshot] = await before.events(3)
      await twin.post('q3', 1, 9)
      await before.events(4)
      const seen = await moved(twin, request(/^id: (.*)$/m.exec(snapshot!)![1]!), 3, before)
      return seen
    })
    expect(events[2]).toContain(name.endsWith('not at all') ? '"snapshot"' : '"changed"')
  })
})

describe('a refused stream', () => {
  const cases: [string, Buffer, TwinOptions?][] = [
    ['by identify', get(live(), { headers: { 'x-user': '' } })],
    ['by authorize', get(live({ room: 'closed' }))],
    ['for an input that the schema rejects', get(live({ room: '' }))],
    ['for having no input', get('/trpc/locations.onLocation')],
    [
      'for having a last event id but no input',
      get('/trpc/locations.onLocation', { headers: { 'last-event-id': 'x.1' } }),
    ],
    ['for an input that is a list, with a last event id', get(live(['q3']), { headers: { 'last-event-id': 'x.1' } })],
    ['for an input that is not JSON', get('/trpc/locations.onLocation?input=%7B')],
    ['for an input that a transformer cannot read', get(live(null)), { trpc: { transformer: tagged } }],
    ['in a batch', get(`/trpc/locations.onLocation?batch=1&${inputOf({ 0: { room: 'q3' } })}`)],
    ['as JSON lines', get(live(), { headers: { 'trpc-accept': 'application/jsonl' } })],
    [
      'for an HTTP method that subscriptions do not accept',
      asked('POST', '/trpc/locations.onLocation', {
        headers: { 'content-type': 'application/json' },
        body: '{"room":"q3"}',
      }),
    ],
    ['for a multipart form', get(live(), { headers: { 'content-type': 'multipart/form-data; boundary=x' } })],
    ['for an invalid Host header', get(live(), { headers: { host: 'a:99999' } })],
    ['for invalid connection parameters', get(`${live()}&connectionParams=7`)],
    ['for a context that throws', get(live()), { createContext: () => Promise.reject(new Error('No such tenant.')) }],
    ['with status, headers and cookies of responseMeta', get(live({ room: 'closed' })), { middleware: cookies }],
    ['when subscriptions are disabled', get(live()), sse({ enabled: false })],
    [
      'when pings are rarer than the inactivity limit of clients',
      get(live()),
      sse({ ping: { enabled: true, intervalMs: 2_000 }, client: { reconnectAfterInactivityMs: 1_000 } }),
    ],
    [
      'when responseMeta throws',
      get(live()),
      {
        middleware: {
          responseMeta: () => {
            throw new Error('No headers today.')
          },
        },
      },
    ],
    [
      'by an HTTP middleware in front of the router',
      get(live()),
      {
        middleware: {
          middleware: (_req: unknown, _res: unknown, next: (error: unknown) => void) => next(new Error('Not today.')),
        },
      },
    ],
  ]
  test.for(cases)('a stream refused %s gets the same response as from stock tRPC', async ([, request, options]) => {
    await using pair = await twins(options)
    await alike(pair, (twin) => ended(twin, request))
    expect(pair.ours.said.some((each) => 'error' in each)).toBe(true)
  })
})

describe('the end of a stream', () => {
  test('a stream ends as with stock tRPC when the client disconnects, and the app is notified', async () => {
    for (const how of [undefined, 'abruptly'] as const) {
      await using pair = await twins()
      await alike(pair, async (twin) => {
        using client = rawClient(twin.port)
        client.send(get(live()))
        await client.events(3)
        client.leave(how)
        await quiet(twin)
      })
      expect(pair.ours.said.at(-1)).toEqual({ aborted: 'locations.onLocation', reason: 'AbortError' })
    }
  })

  test('a stream ends as with stock tRPC with an error, when the member is revoked', async () => {
    await using pair = await twins()
    const { answer } = await alike(pair, (twin) => ended(twin, get(live()), ({ hub }) => hub.revoke('ada')))
    expect(answer.body).toMatch(/"reason":"revoked".*serialized-error.*FORBIDDEN/s)
  })

  test('a stream ends as with stock tRPC with an error that the app formats and transforms, when the member is revoked', async () => {
    const errorFormatter = ({
      shape,
      input,
      ctx,
      path,
    }: {
      shape: object
      input: unknown
      ctx: unknown
      path: string
    }) => ({ ...shape, data: { at: new Date(0), input, ctx, path } })
    await using pair = await twins({ trpc: { transformer: tagged, errorFormatter } })
    const request = get(live(tagged.serialize({ room: 'q3' })))
    await alike(pair, (twin) => ended(twin, request, ({ hub }) => hub.revoke('ada')))
  })

  test('a stream ends as with stock tRPC with a `draining` bye and without a `return` event when the hub closes or drains, so that clients reconnect', async () => {
    await using closed = await twins()
    const { answer } = await alike(closed, (twin) => ended(twin, get(live()), ({ hub }) => hub.close()))
    expect(answer.body).toMatch(/"reason":"draining"\}\nid: .*\n\n\n$/)
    await using drained = await twins({ timing: { drainMs: 200 } })
    await alike(drained, (twin) => ended(twin, get(live()), ({ hub }) => hub.drain()))
    expect(drained.ours.said.some((each) => 'aborted' in each || 'error' in each)).toBe(false)
  })

  test('a stream that reaches its maximum age (rotateMs) ends as with stock tRPC', async () => {
    await using pair = await twins({ timing: { beatMs: 200, rotateMs: 1 } })
    const { answer } = await alike(pair, (twin) => ended(twin, get(live())))
    expect(answer.body).toContain('"reason":"rotated"')
  })

  test('a stream ends as with stock tRPC after maxDurationMs of tRPC, and the app is notified', async () => {
    await using pair = await twins(sse({ maxDurationMs: 150 }))
    await alike(pair, (twin) => ended(twin, get(live())))
    expect(pair.ours.said).toContainEqual({ aborted: 'locations.onLocation', reason: 'AbortError' })
  })

  test('a stream ends as with stock tRPC after maxDurationMs of tRPC, and an app generator that wraps the stream is notified', async () => {
    await using pair = await twins(sse({ maxDurationMs: 150 }))
    const ask = get(`/trpc/wrapped.onLocation?${inputOf({ room: 'q3' })}`)
    for (const twin of pair.both) {
      await ended(twin, ask)
      await until('the signal is aborted', () => twin.said.some((said) => said['aborted'] === 'wrapped.onLocation'))
    }
  })

  test('a stream ends as with stock tRPC with an error when a transformer cannot write a frame', async () => {
    const transformer = {
      input: { serialize: (value: unknown) => value, deserialize: (value: unknown) => value },
      output: {
        serialize(value: unknown) {
          if (JSON.stringify(value).includes('"entered"')) throw new Error('Too much to say.')
          return value
        },
        deserialize: (value: unknown) => value,
      },
    }
    await using pair = await twins({ trpc: { transformer } })
    const { answer } = await alike(pair, (twin) => ended(twin, get(live()), () => twin.post('q3', 1, 4)))
    expect(answer.body).toMatch(/serialized-error.*Too much to say/s)
  })

  test('a stream ends as with stock tRPC and leaves no listeners on its keep-alive connection', async () => {
    await using pair = await twins()
    await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(get('/trpc/version'))
      await client.answer(0)
      const [socket] = twin.sockets
      const listeners = () => socket!.eventNames().map((name) => [name.toString(), socket!.listenerCount(name)])
      const before = listeners()
      for (let nth = 1; nth <= 12; nth++) {
        client.send(get(live()))
        await until('the stream is open', () => twin.hub.streams.size === 1)
        await twin.hub.revoke('ada')
        await client.answer(nth)
      }
      client.send(get('/trpc/version'))
      await client.answer(13)
      expect(listeners()).toEqual(before)
      return socket!.timeout
    })
  })
})

describe('a call whose client disconnects before its context exists', () => {
  const slow = (run: () => unknown): TwinOptions => ({
    async createContext({ req }) {
      await until('the client has disconnected', () => req.destroyed)
      run()
      return { user: 'ada' }
    },
  })
  const fail = () => {
    throw new LocationError('unavailable', 'Gone with the wind.')
  }
  const cases: [string, () => unknown][] = [
    ['opens no stream', () => {}],
    ['is reported to the app when it fails', fail],
  ]
  test.for(cases)('a call whose client disconnects before its context exists %s', async ([, run]) => {
    for (const request of [get(live()), post('/trpc/locations.postLocation', { room: 'q3', location: null })]) {
      await using pair = await twins(slow(run))
      await alike(pair, async (twin) => {
        using client = rawClient(twin.port)
        client.send(request)
        await until('the call is recorded', () => twin.said.length > 0)
        client.leave()
        await until('the end of the call is recorded', () => twin.said.length > 1)
        await quiet(twin)
      })
    }
  })
})

describe('subscriptions that are sent as by stock tRPC', () => {
  const cases: [string, string, number][] = [
    ['a generator that does not end', '/trpc/ticks', 3],
    ['a generator that does not end, with a last event id', '/trpc/ticks?lastEventId=7', 3],
  ]
  test.for(cases)('an open subscription is sent as by stock tRPC: %s', async ([, path, count]) => {
    await using pair = await twins()
    await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(get(path))
      const seen = await seenOfStream(client, count)
      client.leave()
      await until('the app is notified of the disconnect', () => twin.said.some((each) => 'aborted' in each))
      return seen
    })
  })

  const finite: [string, Buffer, TwinOptions?][] = [
    ['a generator that ends', get('/trpc/countdown')],
    ['a generator that fails', get('/trpc/failing')],
    ['a room stream that ends after its first event', get(live()), sse({ emitAndEndImmediately: true })],
  ]
  test.for(finite)('a subscription that ends is sent as by stock tRPC: %s', async ([, request, options]) => {
    await using pair = await twins(options)
    await alike(pair, (twin) => ended(twin, request))
  })

  test('a stream that a middleware wraps is sent as by stock tRPC, and a process warning about the wrapping appears once', async () => {
    const told: { name: string; message: string }[] = []
    const listen = (warning: Error) => void told.push(warning)
    process.on('warning', listen)
    await using pair = await twins()
    for (const room of ['q3', 'q4'])
      await alike(pair, async (twin) => {
        using client = rawClient(twin.port)
        client.send(get(live({ room }, 'wrapped.onLocation')))
        const seen = await seenOfStream(client, 3)
        client.leave()
        await quiet(twin)
        return seen
      })
    process.off('warning', listen)
    expect(told.filter(({ message }) => message.startsWith('wrapped.onLocation'))).toHaveLength(1)
  })
})

describe('our handler over HTTP/2', () => {
  const over: TwinOptions = { stock: 'http2' }
  const headers = (path: string, more: Record<string, string> = {}): Record<string, string> => ({
    ':path': path,
    'x-user': 'ada',
    ...more,
  })

  /** Opens an HTTP/2 session with one request, and collects the head and the text of the response. */
  function opened(twin: Twin, about: Record<string, string>, body?: string) {
    const session = connect(`http://127.0.0.1:${twin.port}`)
    const stream = session.request(about, { endStream: body === undefined })
    const seen: { text: string; head: unknown } = { text: '', head: undefined }
    stream.on(
      'response',
      (head) => (seen.head = Object.entries(head).map(([name, value]) => [name, name === 'date' ? '' : value])),
    )
    stream.setEncoding('utf8').on('data', (text: string) => (seen.text += text))
    stream.on('error', () => {})
    if (body !== undefined) stream.end(body)
    return { stream, seen, [Symbol.dispose]: () => session.destroy() }
  }

  test('accepted and refused posts over HTTP/2 get the same answers as from stock tRPC', async () => {
    for (const body of ['{"room":"q3","location":null}', '{', '', '{"room":"closed","location":null}']) {
      await using pair = await twins(over)
      await alike(pair, async (twin) => {
        const about = headers('/trpc/locations.postLocation', { ':method': 'POST', 'content-type': 'application/json' })
        for (const length of [{}, { 'content-length': String(body.length) }] as Record<string, string>[]) {
          using call = opened(twin, { ...about, ...length }, body)
          await once(call.stream, 'end')
        }
      })
    }
  })

  test('a stream over HTTP/2 that the client cancels behaves as with stock tRPC, and the app is notified of the abort', async () => {
    await using pair = await twins(over)
    const { text } = await alike(pair, async (twin) => {
      using call = opened(twin, headers(live()))
      await until('the snapshot is here', () => call.seen.text.includes('"snapshot"'))
      await twin.post('q3', 1, 4)
      await until('the change is here', () => /"entered".*\n\n\n/s.test(call.seen.text))
      call.stream.close(8)
      await quiet(twin)
      return { ...call.seen }
    })
    expect(text).toContain('"entered"')
    expect(pair.ours.said.at(-1)).toEqual({ aborted: 'locations.onLocation', reason: 'AbortError' })
  })

  test('a stream over HTTP/2 that the server ends behaves as with stock tRPC', async () => {
    await using pair = await twins(over)
    await alike(pair, async (twin) => {
      using call = opened(twin, headers(live()))
      await until('the snapshot is here', () => call.seen.text.includes('"snapshot"'))
      const end = once(call.stream, 'end')
      await twin.hub.revoke('ada')
      await end
      await quiet(twin)
      return { ...call.seen }
    })
    expect(pair.ours.said.some((each) => 'aborted' in each)).toBe(false)
  })
})
