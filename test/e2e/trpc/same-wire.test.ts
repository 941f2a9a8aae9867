import compression from 'compression'
import express from 'express'
import helmet from 'helmet'
import { pinoHttp } from 'pino-http'
import { describe, expect, test } from 'vitest'
import { asked, get, inputOf, post, rawClient } from '../../support/network/raw-client.js'
import { alike, quiet, seenOf, seenOfStream, twins, type Twin, type TwinOptions } from '../../support/servers/twins.js'
import { tagged } from '../../support/tagged.js'

/* Compares answers under tRPC's middleware and under ours: the bytes and the calls of the app's callbacks are the same. */

const key = 'k'.repeat(22)
const posted = { room: 'q3', connectionKey: key, seq: 1, location: { sheet: 'Q3', row: 1, col: 2 } }

/** Returns the answer to a request, and the answer to a second request on the same connection. */
async function askedOf(twin: Twin, request: Buffer) {
  using client = rawClient(twin.port)
  client.send(request)
  const answer = await client.answer(0)
  client.send(get('/trpc/version'))
  const next = await client.answer(1).catch(() => 'the connection has ended')
  return { answer: seenOf(answer), next: typeof next === 'string' ? next : seenOf(next) }
}

type Case = [name: string, status: number, request: Buffer, options?: TwinOptions]

async function compare([, status, request, options]: Case, isBare: boolean) {
  await using pair = await twins({ ...options, isBare })
  const { answer } = await alike(pair, (twin) => askedOf(twin, request))
  expect(Number(answer.status.split(' ')[1])).toBe(status)
}

const cookies = {
  responseMeta: ({ errors, type, paths }: { errors: { code: string }[]; type: string; paths?: readonly string[] }) => ({
    status: errors.length > 0 ? 418 : 201,
    headers: new Headers([
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2'],
      ['x-meta', `${type} ${paths?.join('+')} ${errors.map(({ code }) => code).join('+')}`],
      ['vary', 'cookie'],
    ]),
  }),
}

describe.for([
  ['with app middlewares', false],
  ['without app middlewares', true],
] as const)('on a server %s', ([, isBare]) => {
  const cases: Case[] = [
    ['a post', 200, post('/trpc/locations.postLocation', posted)],
    ['a post without a key', 200, post('/trpc/locations.postLocation', { room: 'q3', location: null })],
    ['a post to a procedure two routers deep', 200, post('/trpc/deep.presence.postLocation', posted)],
    ['a post to a procedure three routers deep', 200, post('/trpc/deep.deeper.presence.postLocation', posted)],
    ['a post to a router that is loaded lazily', 200, post('/trpc/late.postLocation', posted)],
    ['a post with a query string', 200, post('/trpc/locations.postLocation?x=1&y', posted)],
    ['a post with a fragment in its URL', 200, post('/trpc/locations.postLocation#there', posted)],
    [
      'a post whose Content-Type has parameters',
      200,
      post('/trpc/locations.postLocation', posted, { headers: { 'content-type': 'Application/JSON ; charset=utf-8' } }),
    ],
    [
      'a post that begins with a byte order mark',
      200,
      post('/trpc/locations.postLocation', `\ufeff${JSON.stringify(posted)}`),
    ],
    [
      'a post with characters beyond ASCII',
      200,
      post('/trpc/locations.postLocation', { ...posted, room: 'q3', location: { sheet: 'Größe €', row: 1, col: 2 } }),
    ],
    [
      'a post that is not valid UTF-8',
      200,
      post(
        '/trpc/locations.postLocation',
        Buffer.concat([
          Buffer.from('{"room":"q3","location":{"row":1,"col":2,"sheet":"'),
          Buffer.from([0xff, 0xc3]),
          Buffer.from('"}}'),
        ]),
      ),
    ],
    [
      'a post of exactly maxBodySize bytes',
      200,
      post('/trpc/locations.postLocation', posted),
      { middleware: { maxBodySize: JSON.stringify(posted).length } },
    ],
    [
      'a post with chunked transfer encoding',
      200,
      Buffer.concat([
        asked('POST', '/trpc/locations.postLocation', {
          headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        }),
        Buffer.from(`${JSON.stringify(posted).length.toString(16)}\r\n${JSON.stringify(posted)}\r\n0\r\n\r\n`),
      ]),
    ],
    ['a post with another input in its query string', 200, post('/trpc/locations.postLocation?input=7', posted)],
    [
      'a post whose context sets cookies',
      200,
      post('/trpc/locations.postLocation', posted),
      { createContext: setsCookies },
    ],
    [
      'a query whose context sets cookies',
      200,
      get(`/trpc/locations.countMembers?${inputOf({ rooms: ['q3'] })}`),
      { createContext: setsCookies },
    ],
    ['a leave', 200, post('/trpc/locations.leaveRoom', { room: 'q3', connectionKey: key })],
    ['a query', 200, get(`/trpc/locations.getLocations?${inputOf({ room: 'q3' })}`)],
    ["a query of the app's own router", 200, get('/trpc/version')],
    ["a mutation of the app's own router", 200, post('/trpc/echo', { a: [1] })],
    [
      'a post in HTTP/1.0',
      200,
      asked('POST', '/trpc/locations.postLocation', {
        version: '1.0',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(posted),
      }),
    ],
    [
      'a post with Connection: close',
      200,
      post('/trpc/locations.postLocation', posted, { headers: { connection: 'close' } }),
    ],
    ['a post to an absolute URL', 200, post('http://here.example/trpc/locations.postLocation', posted)],
  ]
  test.for(cases)('without a request guard, %s gets the same answer as from stock tRPC', (one) => compare(one, isBare))

  const refused: Case[] = [
    ['by identify', 401, post('/trpc/locations.postLocation', posted, { headers: { 'x-user': '' } })],
    ['by authorize', 403, post('/trpc/locations.postLocation', { ...posted, room: 'closed' })],
    ['for an input that the schema rejects', 400, post('/trpc/locations.postLocation', { room: '', location: 7 })],
    ['for having no input', 400, post('/trpc/locations.postLocation', '')],
    ['for a body that is not JSON', 400, post('/trpc/locations.postLocation', '{"room":')],
    [
      'for a body that is nested too deep',
      400,
      post('/trpc/locations.postLocation', `{"room":"q3","location":${'['.repeat(50)}${']'.repeat(50)}}`),
    ],
    [
      'for a body above maxBodySize',
      413,
      post('/trpc/locations.postLocation', { ...posted, more: 'x'.repeat(2_000) }),
      { middleware: { maxBodySize: 1_000 } },
    ],
    [
      'for a sheet name that is too long',
      400,
      post('/trpc/locations.postLocation', { ...posted, location: { sheet: 'x'.repeat(3_000), row: 1, col: 1 } }),
    ],
    [
      'for a chunked body above maxBodySize',
      413,
      Buffer.concat([
        asked('POST', '/trpc/locations.postLocation', {
          headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        }),
        Buffer.from(`7d0\r\n${'x'.repeat(2_000)}\r\n0\r\n\r\n`),
      ]),
      { middleware: { maxBodySize: 1_000 } },
    ],
    ['for null in place of an input', 400, post('/trpc/locations.postLocation', 'null')],
    ['for a number in place of an input', 400, post('/trpc/locations.postLocation', '7')],
    ['for a list in place of an input', 400, post('/trpc/locations.postLocation', [posted])],
    ['for bytes that are not JSON', 400, post('/trpc/locations.postLocation', Buffer.from([0xff, 0xfe, 0]))],
    [
      'for the Content-Type text/plain',
      415,
      post('/trpc/locations.postLocation', posted, { headers: { 'content-type': 'text/plain' } }),
    ],
    [
      'for the Content-Type application/octet-stream',
      400,
      post('/trpc/locations.postLocation', posted, { headers: { 'content-type': 'application/octet-stream' } }),
    ],
    [
      'for a multipart form',
      400,
      post('/trpc/locations.postLocation', '--x--\r\n', {
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
      }),
    ],
    ['for an invalid connectionKey', 400, post('/trpc/locations.leaveRoom', { room: 'q3', connectionKey: 'x' })],
    ['for a path of __proto__', 404, get('/trpc/__proto__')],
    ['for a bug in identify', 401, post('/trpc/locations.postLocation', posted, { headers: { 'x-user': 'bug' } })],
    [
      'for a body one byte above maxBodySize',
      413,
      post('/trpc/locations.postLocation', posted),
      { middleware: { maxBodySize: JSON.stringify(posted).length - 1 } },
    ],
    [
      'for an unsupported Content-Type',
      415,
      post('/trpc/locations.postLocation', 'room=q3', {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ],
    ['for a missing Content-Type', 415, asked('POST', '/trpc/locations.postLocation', { body: '{}' })],
    ['for an unknown path', 404, post('/trpc/locations.postLocations', posted)],
    ['for an empty path', 404, get('/trpc/')],
    ['for a path of Object.prototype', 404, post('/trpc/toString', posted)],
    [
      'for an HTTP method that the procedure does not accept',
      405,
      asked('PUT', '/trpc/locations.postLocation', { headers: { 'content-type': 'application/json' }, body: '{}' }),
    ],
    ['for a mutation by GET', 405, get(`/trpc/locations.postLocation?${inputOf(posted)}`)],
    ['for a query by POST', 405, post('/trpc/locations.getLocations', { room: 'q3' })],
    ['for the HTTP method TRACE, which Fetch forbids', 500, asked('TRACE', '/trpc/locations.postLocation')],
    ['for an invalid Host header', 400, post('/trpc/locations.postLocation', posted, { headers: { host: 'a b' } })],
    [
      'for an invalid port in the Host header',
      400,
      post('/trpc/locations.postLocation', posted, { headers: { host: 'a:99999' } }),
    ],
    [
      'for an invalid IPv4 address in the Host header',
      400,
      post('/trpc/locations.postLocation', posted, { headers: { host: '1.2.3.999' } }),
    ],
    ['for a malformed percent encoding in the path', 400, post('/trpc/locations.%postLocation', posted)],
    [
      'for a context that throws',
      500,
      post('/trpc/locations.postLocation', posted),
      { createContext: throwing('No such tenant.') },
    ],
    [
      'for a context that throws a value that is not an Error',
      500,
      post('/trpc/locations.postLocation', posted),
      { createContext: throwing('nothing', String) },
    ],
    ["for a query of the app's own that throws", 500, get('/trpc/broken')],
    [
      'for requesting JSON lines without a batch',
      400,
      post('/trpc/locations.postLocation', posted, { headers: { 'trpc-accept': 'application/jsonl' } }),
    ],
    ['for invalid connection parameters', 400, post('/trpc/locations.postLocation?connectionParams=x', posted)],
  ]
  test.for(refused)('a call refused %s gets the same error as from stock tRPC', (one) => compare(one, isBare))

  const odd: Case[] = [
    ['the method HEAD', 204, asked('HEAD', '/trpc/locations.postLocation')],
    ['the method OPTIONS', 415, asked('OPTIONS', '/trpc/locations.postLocation')],
    ['a percent-encoded dot in its path', 200, post('/trpc/locations%2EpostLocation', posted)],
    ['a percent-encoded letter in its path', 200, post('/trpc/locations.%70ostLocation', posted)],
    ['a path in its Host header', 200, post('/trpc/locations.postLocation', posted, { headers: { host: 'a/b' } })],
    [
      'connection parameters',
      200,
      post(`/trpc/locations.postLocation?connectionParams=${encodeURIComponent('{"token":"t"}')}`, posted),
    ],
    [
      'connection parameters in another spelling',
      200,
      post(`/trpc/locations.postLocation?connection%50arams=${encodeURIComponent('{"token":"t"}')}`, posted),
    ],
    [
      'a batch of posts',
      200,
      post('/trpc/locations.postLocation,locations.leaveRoom?batch=1', {
        0: posted,
        1: { room: 'q3', connectionKey: key },
      }),
    ],
    [
      'a batch of posts of which some are refused',
      207,
      post('/trpc/locations.postLocation,locations.postLocation?batch=1', { 0: posted, 1: {} }),
    ],
    ['a batch of one, by another spelling', 200, post('/trpc/locations.postLocation?%62atch=1', { 0: posted })],
    ['a batch of queries', 200, get(`/trpc/locations.getLocations,version?batch=1&${inputOf({ 0: { room: 'q3' } })}`)],
    [
      'a batch of queries in JSON lines',
      200,
      get(`/trpc/locations.getLocations,version?batch=1&${inputOf({ 0: { room: 'q3' } })}`, {
        headers: { 'trpc-accept': 'application/jsonl' },
      }),
    ],
    [
      'a batch of posts in JSON lines',
      200,
      post(
        '/trpc/locations.postLocation?batch=1',
        { 0: posted },
        { headers: { accept: 'text/html, application/jsonl' } },
      ),
    ],
    [
      'a batch above maxBatchSize',
      400,
      post('/trpc/locations.postLocation,echo?batch=1', {}),
      { middleware: { maxBatchSize: 1 } },
    ],
    [
      'a batch, when batching is disabled,',
      400,
      post('/trpc/locations.postLocation?batch=1', { 0: posted }),
      { middleware: { allowBatching: false } },
    ],
    ['a batch of a mutation and a query', 400, post('/trpc/locations.postLocation,version?batch=1', {})],
    [
      'a method override',
      200,
      post('/trpc/locations.getLocations', { room: 'q3' }),
      { middleware: { allowMethodOverride: true } },
    ],
    [
      'a transformer',
      200,
      post('/trpc/locations.postLocation', tagged.serialize(posted)),
      { trpc: { transformer: tagged } },
    ],
    ['a transformer, for a query,', 200, get('/trpc/version'), { trpc: { transformer: tagged } }],
    [
      'an input that the transformer cannot read',
      400,
      post('/trpc/locations.postLocation', 'null'),
      { trpc: { transformer: tagged } },
    ],
    [
      'an output that the transformer cannot write',
      500,
      post('/trpc/locations.postLocation', tagged.serialize(posted)),
      { trpc: { transformer: unable } },
    ],
    [
      'an error formatter',
      403,
      post('/trpc/locations.postLocation', { ...posted, room: 'closed' }),
      { trpc: { errorFormatter: formatter } },
    ],
    [
      'status, headers and cookies of responseMeta',
      201,
      post('/trpc/locations.postLocation', posted),
      { middleware: cookies },
    ],
    [
      'status, headers and cookies of responseMeta for a refusal',
      418,
      post('/trpc/locations.postLocation', {}),
      { middleware: cookies },
    ],
    [
      'status, headers and cookies of responseMeta for a batch',
      201,
      post('/trpc/locations.postLocation?batch=1', { 0: posted }),
      { middleware: cookies },
    ],
    [
      'an HTTP middleware in front of the router',
      200,
      post('/trpc/locations.postLocation', posted),
      { middleware: { middleware: nextWith() } },
    ],
    [
      'an HTTP middleware that calls next(null)',
      200,
      post('/trpc/locations.postLocation', posted),
      { middleware: { middleware: nextWith(null) } },
    ],
    [
      'an HTTP middleware that calls next with an error',
      500,
      post('/trpc/locations.postLocation', posted),
      { middleware: { middleware: nextWith(new Error('Not today.')) } },
    ],
    [
      'an HTTP middleware that throws',
      500,
      post('/trpc/locations.postLocation', posted),
      { middleware: { middleware: throwing('Not today.') } },
    ],
    [
      'an HTTP middleware that answers itself',
      204,
      asked('OPTIONS', '/trpc/locations.postLocation'),
      { middleware: { middleware: (_req: unknown, res: express.Response) => void res.writeHead(204).end() } },
    ],
    [
      'an HTTP status that the context sets',
      202,
      post('/trpc/locations.postLocation', posted),
      { createContext: ({ req }) => setting(req, 202) },
    ],
  ]
  test.for(odd)('a call with %s gets the same answer as from stock tRPC', (one) => compare(one, isBare))
})

const mounted = (
  mount: (app: express.Express, handler: Parameters<NonNullable<TwinOptions['mount']>>[0]) => unknown,
): TwinOptions => ({
  mount(handler) {
    const app = express()
    mount(app, handler)
    return app
  },
})

const behind: [string, TwinOptions][] = [
  ['compression', mounted((app, handler) => app.use(compression({ threshold: 0 })).use('/trpc', handler))],
  ['helmet', mounted((app, handler) => app.use(helmet()).use('/trpc', handler))],
  ['pino-http', mounted((app, handler) => app.use(pinoHttp({ enabled: false })).use('/trpc', handler))],
  [
    'compression, helmet and pino-http',
    mounted((app, handler) => app.use(compression(), helmet(), pinoHttp({ enabled: false })).use('/trpc', handler)),
  ],
  ['express.json()', mounted((app, handler) => app.use(express.json()).use('/trpc', handler))],
  ['express.text()', mounted((app, handler) => app.use(express.text({ type: '*/*' })).use('/trpc', handler))],
  ['the path pattern /:any', mounted((app, handler) => app.use('/:any', handler))],
  [
    'another middleware that reads the whole request body',
    mounted((app, handler) => app.use(drained).use('/trpc', handler)),
  ],
  ['Express with express.json() after it', mounted((app, handler) => app.use('/trpc', handler).use(express.json()))],
  ['node:http without Express', { stock: 'standalone' }],
]

describe.for(behind)('our middleware behind %s', ([, options]) => {
  const cases: [string, Buffer][] = [
    ['a post', post('/trpc/locations.postLocation', posted)],
    ['a post that is refused', post('/trpc/locations.postLocation', { ...posted, room: 'closed' })],
    [
      'a post with Accept-Encoding: gzip',
      post('/trpc/locations.postLocation', posted, { headers: { 'accept-encoding': 'gzip' } }),
    ],
    ['a post that is not JSON', post('/trpc/locations.postLocation', '{"room":')],
    ['a batch', post('/trpc/locations.postLocation?batch=1', { 0: posted })],
    ['a query', get(`/trpc/locations.getLocations?${inputOf({ room: 'q3' })}`)],
  ]
  test.for(cases)('our middleware behind other middlewares answers %s exactly like stock tRPC', async ([, request]) => {
    await using pair = await twins(options)
    await alike(pair, (twin) => askedOf(twin, request))
  })

  test('our middleware behind other middlewares streams a room and its changes exactly like stock tRPC', async () => {
    await using pair = await twins(options)
    await alike(pair, async (twin) => {
      using client = rawClient(twin.port)
      client.send(
        get(`/trpc/locations.onLocation?${inputOf({ room: 'q3' })}`, { headers: { 'accept-encoding': 'gzip' } }),
      )
      await client.events(3)
      await twin.post('q3', 1, 4)
      await client.events(4)
      await twin.post('q3', 1, 5)
      const seen = await seenOfStream(client, 5)
      client.leave()
      await quiet(twin)
      return seen
    })
  })
})

function throwing(message: string, kind: (message: string) => unknown = Error) {
  return () => {
    throw kind(message)
  }
}
function setsCookies({ req }: { req: unknown }) {
  const { res } = req as { res: express.Response }
  res.setHeader('set-cookie', ['a=1', 'b=2'])
  return { user: 'ada' }
}
function setting(req: unknown, status: number) {
  const { res } = req as { res: express.Response }
  res.status(status)
  return { user: 'ada' }
}
function formatter({
  shape,
  error,
  path,
  input,
  ctx,
}: {
  shape: object
  error: Error
  path: unknown
  input: unknown
  ctx: unknown
}) {
  return { ...shape, data: { help: error.message, path, input, ctx } }
}
const unable = {
  input: tagged,
  output: {
    serialize(value: unknown) {
      if (JSON.stringify(value).includes('applied')) throw new Error('Too much to say.')
      return value
    },
    deserialize: (value: unknown) => value,
  },
}
function nextWith(...said: unknown[]) {
  return (_req: unknown, _res: unknown, next: (...said: unknown[]) => void) => next(...said)
}
function drained(request: express.Request, _response: unknown, next: () => void) {
  request.on('end', () => next()).resume()
}

describe('a server with the request guard', () => {
  const requestGuard = { origins: ['https://app.example'], allowedHosts: ['here.example'] }
  const evil = { headers: { origin: 'https://evil.example' } }
  const batch = (calls: number, path = 'locations.postLocation') =>
    post(`/trpc/${Array.from({ length: calls }, () => path).join()}?batch=1`, Object.fromEntries(Array.from({ length: calls }, (_, i) => [i, { ...posted, seq: i + 1 }]))) // prettier-ignore
  const cases: Case[] = [
    ['a post', 200, post('/trpc/locations.postLocation', posted)],
    [
      'a post from a listed origin',
      200,
      post('/trpc/locations.postLocation', posted, { headers: { origin: requestGuard.origins[0]! } }),
    ],
    ['a post from an unlisted origin', 403, post('/trpc/locations.postLocation', posted, evil)],
    ['a query', 200, get(`/trpc/locations.getLocations?${inputOf({ room: 'q3' })}`)],
    ['a batch of eight posts', 200, batch(8)],
    ['a batch of nine posts', 400, batch(9)],
    ["a batch of nine calls of the app's own", 200, batch(9, 'echo')],
    ["a batch of eight calls of the app's own and one post", 200, post(`/trpc/${'echo,'.repeat(8)}locations.postLocation?batch=1`, { 8: posted })], // prettier-ignore
    ["a batch of a query of the app's own and a location query", 200, get(`/trpc/version,locations.getLocations?batch=1&${inputOf({ 1: { room: 'q3' } })}`)], // prettier-ignore
    ["a batch of a query of the app's own and a location query from an unlisted origin", 403, get(`/trpc/version,locations.getLocations?batch=1&${inputOf({ 1: { room: 'q3' } })}`, evil)], // prettier-ignore
    ["a query of the app's own from an unlisted origin", 200, get('/trpc/version', evil)],
    ['an unknown procedure', 404, get('/trpc/locations.nothing', evil)],
  ]
  test.for(cases)('with the request guard, %s gets the same answer as from stock tRPC', ([name, status, request]) =>
    compare([name, status, request, { requestGuard }], true),
  )

  test("the request guard rejects a chunked batch above 8 KiB with 413 if all its calls are location calls, and leaves the app's own calls alone", async () => {
    await using pair = await twins({ requestGuard })
    const large = 'x'.repeat(9_000)
    const chunks = (path: string) => {
      const body = JSON.stringify({ 0: { ...posted, large } })
      const head = `POST /trpc/${path}?batch=1 HTTP/1.1\r\nhost: here.example\r\nx-user: ada\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`
      return Buffer.from(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
    }
    const statusOf = async (path: string) => (await askedOf(pair.ours, chunks(path))).answer.status
    expect(await statusOf('locations.postLocation')).toMatch(/ 413 /)
    expect(await statusOf('echo')).toMatch(/ 200 /)
  })
})
