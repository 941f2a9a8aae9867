import { once } from 'node:events'
import { connect } from 'node:http2'
import { constants, createGunzip, gunzipSync } from 'node:zlib'
import compression from 'compression'
import express from 'express'
import helmet from 'helmet'
import { describe, expect, test } from 'vitest'
import { get, inputOf, post, rawClient, type RawClient } from '../../support/network/raw-client.js'
import { alike, headersIn, quiet, seenOf, twins, type Twin, type TwinOptions } from '../../support/servers/twins.js'
import { until } from '../../support/until.js'

/* With `compress`, the decoded response of our middleware equals the plain response of tRPC's own middleware. */

const live = (input: unknown = { room: 'q3' }) => `/trpc/locations.onLocation?${inputOf(input)}`
const takesGzip = { 'accept-encoding': 'gzip, deflate, br' }
const asking = (path = live(), headers: Record<string, string> = {}) => get(path, { headers: { ...takesGzip, ...headers } }) // prettier-ignore

const compressing = (options: TwinOptions = {}): TwinOptions => ({
  ...options,
  middleware: { ...options.middleware, compress: true },
})
const sse = (options: object) => compressing({ trpc: { sse: options } })

/** Returns a response without the expected differences: our Content-Encoding and the accept-encoding in our Vary. */
function decoded<T extends { headers: string[] }>(twin: Twin, { headers, ...seen }: T) {
  const isGzip = (line: string) => line === 'content-encoding: gzip'
  const [vary] = headers.filter((line) => line.startsWith('vary:'))
  expect(headers.filter(isGzip)).toHaveLength(twin.name === 'ours' ? 1 : 0)
  if (twin.name === 'ours') expect(vary).toMatch(/, accept-encoding$/)
  const rest = headers.filter((line) => !isGzip(line)).map((line) => line.replace(/, accept-encoding$/, ''))
  return { ...seen, headers: rest }
}

/** Returns the events received so far in a client's first response, decompressed if necessary. */
function eventsOf({ answers: [answer] }: RawClient): string[] {
  if (!answer || answer.body.length === 0) return []
  const isGzip = answer.headers.some(([, value]) => value === 'gzip')
  const text = isGzip ? gunzipSync(answer.body, { finishFlush: constants.Z_SYNC_FLUSH }) : answer.body
  return text.toString().split(/(?<=\n\n\n)/)
}

async function events(client: RawClient, count: number) {
  await until(`there are ${count} events`, () => eventsOf(client).length >= count)
  const { status, headers } = client.answers[0]!
  return { status, headers: headersIn(headers), events: eventsOf(client).slice(0, count) }
}

/** Returns the head and the events of one stream: its first events, and the events of two moves. */
async function moved(twin: Twin, request: Buffer, atOnce = 3) {
  using client = rawClient(twin.port)
  client.send(request)
  await events(client, atOnce)
  await twin.post('q3', 1, 4)
  await events(client, atOnce + 1)
  await twin.post('q3', 1, 5)
  const seen = await events(client, atOnce + 2)
  client.leave()
  await quiet(twin)
  return decoded(twin, seen)
}

/** Returns the whole response of a stream that the server ends, and the next response on the same connection. */
async function ended(twin: Twin, request: Buffer, run?: (twin: Twin) => unknown) {
  using client = rawClient(twin.port)
  client.send(request)
  await events(client, 3)
  await run?.(twin)
  const answer = await client.answer()
  await quiet(twin)
  client.send(get('/trpc/version'))
  return { answer: decoded(twin, seenOf(answer)), next: seenOf(await client.answer(1)) }
}

const mounted = (mount: (app: express.Express, handler: express.RequestHandler) => unknown): TwinOptions =>
  compressing({
    mount(handler) {
      const app = express()
      mount(app, handler as express.RequestHandler)
      return app
    },
  })

describe('a gzip-compressed stream', () => {
  const cases: [string, Buffer, TwinOptions?][] = [
    ['of a room', asking()],
    ['in HTTP/1.0', get(live(), { headers: takesGzip, version: '1.0' })],
    ['with Connection: close', asking(live(), { connection: 'close' })],
    ['with tRPC options for the client', asking(), sse({ client: { reconnectAfterInactivityMs: 5_000 } })],
    ['on node:http without Express', asking(), compressing({ stock: 'standalone' })],
    ['behind helmet', asking(), mounted((app, handler) => app.use(helmet()).use('/trpc', handler))],
    [
      'behind compression()',
      asking(),
      mounted((app, handler) => app.use(compression({ threshold: 0 })).use('/trpc', handler)),
    ],
    [
      'behind a middleware that replaces response.write',
      asking(),
      mounted((app, handler) =>
        app
          .use((_request, response, next) => {
            const write = response.write.bind(response)
            response.write = ((chunk: Buffer) => write(chunk)) as typeof response.write
            next()
          })
          .use('/trpc', handler),
      ),
    ],
  ]
  test.for(cases)(
    'a gzip-compressed stream %s decompresses to the uncompressed stream',
    async ([, request, options = compressing()]) => {
      await using pair = await twins(options)
      const { events } = await alike(pair, (twin) => moved(twin, request))
      expect(events.at(-1)).toContain('changed')
    },
  )

  test('a gzip-compressed stream resumes from a last event id', async () => {
    await using pair = await twins(compressing())
    const { events: heard } = await alike(pair, async (twin) => {
      for (const key of [1, 2, 3, 4]) await twin.post('q3', key, key)
      using before = rawClient(twin.port)
      before.send(asking())
      const { events: first } = await events(before, 3)
      await twin.post('q3', 1, 9)
      before.leave()
      await quiet(twin)
      return await moved(twin, asking(live(), { 'last-event-id': /^id: (.*)$/m.exec(first[2]!)![1]! }))
    })
    expect(heard[2]).toContain('"changed"')
  })

  test("a gzip-compressed stream contains tRPC's pings, when they are enabled", async () => {
    await using pair = await twins(sse({ ping: { enabled: true, intervalMs: 50 } }))
    const { events: heard } = await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(asking())
      const seen = await events(client, 6)
      client.leave()
      await quiet(twin)
      return decoded(twin, seen)
    })
    expect(heard.slice(3)).toEqual(Array(3).fill('event: ping\ndata: \n\n\n'))
  })

  const ends: [string, (twin: Twin) => unknown, TwinOptions?][] = [
    ['with an error when the member is revoked', ({ hub }) => hub.revoke('ada')],
    ['when the hub closes', ({ hub }) => hub.close()],
    ['when the hub drains', ({ hub }) => hub.drain(), compressing({ timing: { drainMs: 200 } })],
    ['when its rotation time is reached', () => {}, compressing({ timing: { beatMs: 200, rotateMs: 1 } })],
    ['after maxDurationMs of tRPC', () => {}, sse({ maxDurationMs: 150 })],
  ]
  test.for(ends)(
    'a gzip-compressed stream ends %s, as a complete gzip stream',
    async ([, run, options = compressing()]) => {
      await using pair = await twins(options)
      await alike(pair, (twin) => ended(twin, asking(), run))
    },
  )

  test('a gzip-compressed stream is compressed once, even if the middleware compression() would compress it too', async () => {
    // compression() skips responses with `no-transform`, which tRPC sets. Here it is removed from Cache-Control.
    const transformable: express.RequestHandler = (_request, response, next) => {
      const setHeader = response.setHeader.bind(response)
      response.setHeader = (name, value) => setHeader(name, name === 'cache-control' ? 'private' : value)
      next()
    }
    await using pair = await twins(
      mounted((app, handler) => app.use(transformable, compression({ threshold: 0 })).use('/trpc', handler)),
    )
    const seen = await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(asking(live(), { 'accept-encoding': 'gzip' }))
      await events(client, 3)
      await twin.hub.revoke('ada')
      const { headers, body } = seenOf(await client.answer())
      const encodings = headers.map((line) => line.toLowerCase()).filter((line) => line.startsWith('content-encoding'))
      return { encodings, body }
    })
    expect(seen.encodings).toEqual(['content-encoding: gzip'])
    expect(seen.body).toContain('event: connected')
  })

  test('a gzip-compressed stream over HTTP/2 decompresses to the uncompressed stream', async () => {
    await using pair = await twins(compressing({ stock: 'http2' }))
    const text = await alike(pair, async (twin) => {
      const session = connect(`http://127.0.0.1:${twin.port}`)
      try {
        const stream = session.request({ ':path': live(), 'x-user': 'ada', ...takesGzip })
        const [head] = (await once(stream, 'response')) as [Record<string, string>]
        expect(head['content-encoding']).toBe(twin.name === 'ours' ? 'gzip' : undefined)
        let text = ''
        const body = twin.name === 'ours' ? stream.pipe(createGunzip()) : stream
        body.on('data', (chunk: Buffer) => (text += chunk.toString()))
        const end = once(body, 'end')
        await until('the snapshot is here', () => text.includes('"snapshot"'))
        await twin.post('q3', 1, 4)
        await until('the change is here', () => /"entered".*\n\n\n/s.test(text))
        await twin.hub.revoke('ada')
        await end
        return text
      } finally {
        session.destroy()
      }
    })
    expect(text).toContain('serialized-error')
  })
})

describe('content negotiation of a stream', () => {
  const headers: [string, Record<string, string>, 'gzip' | 'plain'][] = [
    ['no value', {}, 'plain'],
    ['an empty value', { 'accept-encoding': '' }, 'plain'],
    ['only encodings other than gzip', { 'accept-encoding': 'br, zstd, deflate' }, 'plain'],
    ['gzip with a quality of 0', { 'accept-encoding': 'gzip;q=0, *' }, 'plain'],
    ['* and gzip;q=0', { 'accept-encoding': '*, gzip;q=0' }, 'plain'],
    ['a higher quality for identity than for gzip', { 'accept-encoding': 'identity, gzip;q=0.5' }, 'plain'],
    ['only identity', { 'accept-encoding': 'identity' }, 'plain'],
    ['gzip', { 'accept-encoding': 'gzip' }, 'gzip'],
    ['the value of a browser', { 'accept-encoding': 'gzip, deflate, br, zstd' }, 'gzip'],
    ['GZIP in capitals', { 'accept-encoding': 'GZIP' }, 'gzip'],
    ['gzip of a low quality', { 'accept-encoding': 'br;q=1.0, gzip;q=0.2' }, 'gzip'],
    ['*', { 'accept-encoding': '*' }, 'gzip'],
    ['gzip of a low quality and identity;q=0', { 'accept-encoding': 'gzip;q=0.1, identity;q=0' }, 'gzip'],
  ]
  test.for(headers)('Accept-Encoding with %s selects the right encoding and a Vary header', async ([, given, form]) => {
    await using pair = await twins(compressing())
    using client = rawClient(pair.ours.port)
    client.send(get(live(), { headers: given }))
    await until('the head is here', () => client.answers.length > 0)
    const said = (name: string) =>
      client.answers[0]!.headers.filter(([each]) => each === name).map(([, value]) => value)
    expect(said('content-encoding')).toEqual(form === 'gzip' ? ['gzip'] : [])
    expect(said('vary')).toEqual(['trpc-accept, accept, accept-encoding'])
    await until('the snapshot is here', () => eventsOf(client).join('').includes('"snapshot"'))
  })

  test("a stream is not compressed when the app has set Content-Encoding, and the app's `Vary: *` is kept", async () => {
    const meta = { 'content-encoding': 'identity', vary: '*' }
    const says = { responseMeta: () => ({ headers: new Headers(meta) }), compress: true }
    await using pair = await twins({ middleware: says })
    await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(asking())
      const seen = await events(client, 3)
      client.leave()
      await quiet(twin)
      return seen
    })
  })

  const others: [string, Buffer][] = [
    ['a post', post('/trpc/locations.postLocation', { room: 'q3', location: null }, { headers: takesGzip })],
    ['a query', asking('/trpc/version')],
    ['a stream that is refused', asking(live({ room: 'closed' }))],
    ["a subscription of the app's own", asking('/trpc/countdown')],
    ['a HEAD request', Buffer.from(asking().toString().replace(/^GET/, 'HEAD'))],
  ]
  test.for(others)(
    '`compress` leaves a response that is not a location stream uncompressed: %s',
    async ([, request]) => {
      await using pair = await twins(compressing())
      await alike(pair, async (twin) => {
        using client = rawClient(twin.port)
        client.send(request)
        if (request.includes('HEAD ')) {
          await until('the head is here', () => client.received.includes('\r\n\r\n'))
          return client.received.toString().replace(/\r\nDate: .*/i, '')
        }
        return seenOf(await client.answer())
      })
    },
  )
})
