import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { initTRPC, TRPCError, type AnyTRPCRouter } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { nodeHTTPRequestHandler } from '@trpc/server/adapters/node-http'
import express from 'express'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cell } from '../support/stock-client.js'
import { tagged } from '../support/tagged.js'
import { until } from '../support/until.js'

/*
 * createLocationMiddleware takes streams and plain posts past most of tRPC. Nobody may notice: every answer, header and
 * onError call is held against those of tRPC's own adapter, over one hub.
 */

const connectionKey = 'AAAAAAAAAAAAAAAAAAAAAA'
// One member opens every stream there is here, and no beat comes in between.
const limits = {
  streamBurst: 1e4,
  memberRoomStreams: 1e4,
  memberStreams: 1e4,
  connectionBurst: 1e4,
  readBurst: 1e4,
  postBurst: 1e4,
}
const hub = createLocationHub({ location: cellLocation, limits, timing: { beatMs: 600_000 } })
afterAll(() => hub.close())

type Context = { login: string | undefined }
type Told = {
  code: string
  message: string
  path: string | undefined
  type: string
  input: unknown
  login: string | undefined
}

function routerOf(transformer: boolean): AnyTRPCRouter {
  const base = initTRPC.context<Context>()
  const config = {
    isDev: false,
    errorFormatter: ({ shape, error }: { shape: object; error: TRPCError }) => ({ ...shape, help: error.code }),
  }
  // Two routers that differ in the type of their transformer only.
  const t = (transformer ? base.create({ ...config, transformer: tagged }) : base.create(config)) as ReturnType<
    typeof base.create
  >
  const procedure = t.procedure.use(({ ctx, next }) => {
    if (ctx.login === 'mallory') throw new TRPCError({ code: 'PAYMENT_REQUIRED', message: 'Pay first.' })
    if (ctx.login === 'bug') throw new RangeError('a bug in a middleware')
    return next()
  })
  const locations = createLocationRouter({
    hub,
    procedure,
    identify: ({ ctx }) => ({ memberId: ctx.login ?? '' }),
    authorize: ({ room }) => room !== 'closed',
  })
  return t.router({ locations: t.router(locations), other: t.procedure.query(() => 'other') })
}

type Host = { port: number; told: Told[]; close(): void }
type Extras = { responseMeta?: () => { headers: Record<string, string>; status?: number } }

/** A server whose procedures are under /trpc, and what its onError was told. */
async function hosted(
  kind: 'express' | 'node',
  isOurs: boolean,
  transformer: boolean,
  extras: Extras = {},
): Promise<Host> {
  const told: Told[] = []
  const router = routerOf(transformer)
  const options = {
    router,
    maxBodySize: 2_000,
    ...extras,
    createContext({ req, res }: { req: IncomingMessage; res: ServerResponse }): Context {
      const login = req.headers['x-login'] as string | undefined
      if (login === 'nobody') throw new TRPCError({ code: 'UNAUTHORIZED', message: 'No such login.' })
      if (login === 'cookie') res.setHeader('set-cookie', ['a=1', 'b=2'])
      if (login === 'teapot') res.statusCode = 418
      return { login }
    },
    onError({ error: { code, message }, path, type, input, ctx }: Omit<Told, 'code' | 'message' | 'login'> & { error: TRPCError; ctx?: Context | undefined }) {
      told.push({ code, message, path, type, input: input instanceof ReadableStream ? 'bytes' : input, login: ctx?.login })
    },
  } // prettier-ignore
  const handle = isOurs ? createLocationMiddleware(options as never) : stockOf(kind, options as never)
  const app = kind === 'express' ? express().use('/trpc', handle) : handle
  const server = createServer(app as Parameters<typeof createServer>[1])
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    told,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function stockOf(kind: 'express' | 'node', options: Parameters<typeof createExpressMiddleware>[0]) {
  if (kind === 'express') return createExpressMiddleware(options)
  return (req: IncomingMessage, res: ServerResponse) => {
    const path = req.url!.split('?', 1)[0]!.split('/').at(-1)!
    void nodeHTTPRequestHandler({ ...options, req, res, path } as unknown as Parameters<
      typeof nodeHTTPRequestHandler
    >[0])
  }
}

/** One request as bytes, and everything that came back: to its end, or, of a stream, its first events. */
async function exchange(port: number, request: string, events: number) {
  const socket = connect(port, '127.0.0.1')
  let bytes = ''
  let isOver = false
  socket.setEncoding('utf8').on('data', (chunk: string) => (bytes += chunk))
  socket.on('close', () => (isOver = true)).on('error', () => (isOver = true))
  socket.write(request)
  const enough = () => {
    if (isOver || (events > 0 && bytes.split('\n\n\n').length > events)) return true
    const end = bytes.indexOf('\r\n\r\n')
    // A stream keeps its connection, whatever the request says: its end is in the body.
    const [, length] = /^content-length: (\d+)\r$/im.exec(bytes) ?? []
    if (length !== undefined) return Buffer.byteLength(bytes.slice(end + 4)) >= Number(length)
    return end !== -1 && (bytes.endsWith('\r\n0\r\n\r\n') || request.startsWith('HEAD'))
  }
  await until('the answer is there', enough)
  // What an end would add must not be missed.
  if (!isOver && events > 0) await new Promise((resolve) => setImmediate(resolve))
  socket.destroy()
  const end = bytes.indexOf('\r\n\r\n')
  const [status, ...lines] = bytes.slice(0, end).split('\r\n')
  const headers = lines
    .filter((line) => !/^date:/i.test(line))
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
  const body = headers.includes('transfer-encoding: chunked') ? unchunked(bytes.slice(end + 4)) : bytes.slice(end + 4)
  return { status, headers: headers.sort(), body }
}

function unchunked(text: string): string {
  let rest = Buffer.from(text)
  let body = ''
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = line === -1 ? 0 : parseInt(rest.subarray(0, line).toString(), 16)
    if (!(size > 0)) return `${body}${line === -1 ? '' : '(ended)'}`
    body += rest.subarray(line + 2, line + 2 + size).toString()
    rest = rest.subarray(line + 4 + size)
  }
}

type Case = { what: string; request: string; events?: number }
const line = (login: string, more = '') => `Host: 127.0.0.1\r\nConnection: close\r\nx-login: ${login}\r\n${more}\r\n`
const sent = (transformer: boolean, input: unknown) => JSON.stringify(transformer ? tagged.serialize(input) : input)

/** Every way to ask that somebody thought of. */
function casesOf(transformer: boolean, resumeId: string): Case[] {
  const get = (path: string, input?: unknown, login = 'ada', headers = '') =>
    `GET /trpc/${path}${input === undefined ? '' : `${path.includes('?') ? '&' : '?'}input=${encodeURIComponent(sent(transformer, input))}`} HTTP/1.1\r\n${line(login, headers)}` // prettier-ignore
  const post = (path: string, body: string, login = 'ada', type = 'Content-Type: application/json\r\n') =>
    `POST /trpc/${path} HTTP/1.1\r\n${line(login, `${type}Content-Length: ${Buffer.byteLength(body)}\r\n`)}${body}`
  const on = 'locations.onLocation'
  const at = 'locations.postLocation'
  const room = { room: 'same' }
  const said = { ...room, connectionKey, seq: 1, location: cell(1) }
  const body = sent(transformer, said)
  return [
    { what: 'a stream', request: get(on, room), events: 3 },
    { what: 'a stream with a key', request: get(on, { ...room, connectionKey }), events: 3 },
    { what: 'a stream that resumes by input', request: get(on, { ...room, lastEventId: resumeId }), events: 2 },
    { what: 'a stream that resumes by header', request: get(on, room, 'ada', `Last-Event-ID: ${resumeId}\r\n`), events: 2 },
    { what: 'a stream that resumes by address', request: get(`${on}?lastEventId=${resumeId}`, room), events: 2 },
    { what: 'a stream that resumes by the other address', request: get(`${on}?Last-Event-Id=${resumeId}`, room), events: 2 },
    { what: 'a stream with a forged id', request: get(on, { ...room, lastEventId: 'x.1' }), events: 3 },
    { what: 'a stream with two ids', request: get(on, { ...room, lastEventId: 'x.1' }, 'ada', `Last-Event-ID: ${resumeId}\r\n`), events: 2 },
    { what: 'a stream that accepts anything', request: get(on, room, 'ada', 'Accept: */*\r\n'), events: 3 },
    { what: 'a stream that accepts events', request: get(on, room, 'ada', 'Accept: text/event-stream\r\n'), events: 3 },
    { what: 'a stream that says JSON', request: get(on, room, 'ada', 'Content-Type: application/json\r\n'), events: 3 },
    { what: 'a stream that says a form', request: get(on, room, 'ada', 'Content-Type: multipart/form-data; boundary=x\r\n') },
    { what: 'a stream without input', request: get(on) },
    { what: 'a stream with empty input', request: `GET /trpc/${on}?input= HTTP/1.1\r\n${line('ada')}` },
    { what: 'a stream with broken input', request: `GET /trpc/${on}?input=%7B HTTP/1.1\r\n${line('ada')}` },
    { what: 'a stream with a list for input', request: get(on, ['same']) },
    { what: 'a stream with null for input', request: get(on, null) },
    { what: 'a stream with a list for input and an id', request: get(on, ['same'], 'ada', 'Last-Event-ID: 1\r\n') },
    { what: 'a stream with bad input', request: get(on, { room: '' }) },
    { what: 'a stream in a closed room', request: get(on, { room: 'closed' }) },
    { what: 'a stream of nobody', request: get(on, room, 'nobody') },
    { what: 'a stream of one without a name', request: get(on, room, '') },
    { what: 'a stream refused by a middleware', request: get(on, room, 'mallory') },
    { what: 'a stream that met a bug', request: get(on, room, 'bug') },
    { what: "a stream with another's key", request: get(on, { ...room, connectionKey }, 'eve') },
    { what: 'a stream with cookies', request: get(on, room, 'cookie'), events: 3 },
    { what: 'a stream with a status', request: get(on, room, 'teapot'), events: 3 },
    { what: 'a stream in a batch', request: get(`${on}?batch=1`, { 0: room }) },
    { what: 'a stream with connection params', request: get(`${on}?connectionParams=%7B%22a%22%3A%221%22%7D`, room), events: 3 },
    { what: 'a stream with broken connection params', request: get(`${on}?connectionParams=%7B`, room) },
    { what: 'a stream by POST', request: post(on, sent(transformer, room)) },
    { what: 'a stream by HEAD', request: get(on, room).replace('GET', 'HEAD') },
    { what: 'a stream by its escaped name', request: get('locations%2EonLocation', room), events: 3 },
    { what: 'a stream with a strange host', request: get(on, room).replace('127.0.0.1', 'a_b!.c'), events: 3 },
    { what: 'a stream as lines of JSON', request: get(on, room, 'ada', 'trpc-accept: application/jsonl\r\n'), events: 3 },
    { what: 'a post', request: post(at, body) },
    { what: 'a post with a charset', request: post(at, body, 'ada', 'Content-Type: application/json; charset=utf-8\r\n') },
    { what: 'a post in capitals', request: post(at, body, 'ada', 'Content-Type: Application/JSON\r\n') },
    { what: 'a post without a type', request: post(at, body, 'ada', '') },
    { what: 'a post as text', request: post(at, body, 'ada', 'Content-Type: text/plain\r\n') },
    { what: 'a post as bytes', request: post(at, body, 'ada', 'Content-Type: application/octet-stream\r\n') },
    { what: 'a post of nothing', request: post(at, '') },
    { what: 'a post of broken JSON', request: post(at, '{"room":') },
    { what: 'a post of null', request: post(at, 'null') },
    { what: 'a post of a number', request: post(at, '7') },
    { what: 'a post of a list', request: post(at, '[]') },
    { what: 'a post of bytes that are no text', request: post(at, '\ufffd\u0000') },
    { what: 'a post with bad input', request: post(at, sent(transformer, { ...said, location: 'x' })) },
    { what: 'a post at the limit', request: post(at, body + ' '.repeat(2_000 - body.length)) },
    { what: 'a post above the limit', request: post(at, body + ' '.repeat(2_001 - body.length)) },
    { what: 'a post in a closed room', request: post(at, sent(transformer, { ...said, room: 'closed' })) },
    { what: 'a post of nobody', request: post(at, body, 'nobody') },
    { what: 'a post refused by a middleware', request: post(at, body, 'mallory') },
    { what: 'a post that met a bug', request: post(at, body, 'bug') },
    { what: "a post with another's key", request: post(at, body, 'eve') },
    { what: 'a post with cookies', request: post(at, sent(transformer, { room: 'same' }), 'cookie') },
    { what: 'a post with a status', request: post(at, sent(transformer, { room: 'same' }), 'teapot') },
    { what: 'a post in a batch', request: post(`${at}?batch=1`, sent(false, { 0: transformer ? tagged.serialize(said) : said })) },
    { what: 'a post by GET', request: get(at, said) },
    { what: 'a post with input in its address too', request: post(`${at}?input=7`, body) },
    { what: 'a post that accepts lines of JSON', request: post(at, body).replace('\r\n', '\r\nAccept: application/jsonl\r\n') },
    { what: 'a leave with a bad key', request: post('locations.leaveRoom', sent(transformer, { ...room, connectionKey: 'x' })) },
    { what: 'a look', request: get('locations.getLocations', room) },
    { what: 'a count', request: get('locations.countMembers', { rooms: ['same'] }) },
    { what: 'another procedure', request: get('other') },
    { what: 'no procedure', request: get('locations.nothing') },
    { what: 'a prototype', request: get('__proto__') },
    { what: 'a procedure of the language', request: post('toString', body) },
  ] // prettier-ignore
}

let resumeId = ''
beforeAll(async () => {
  const t = initTRPC.context<Context>().create()
  const router = t.router(
    createLocationRouter({ hub, procedure: t.procedure, identify: () => ({ memberId: 'ada' }), authorize: () => true }),
  )
  const ada = t.createCallerFactory(router)({ login: 'ada' })
  const reply = await ada.postLocation({ room: 'same', connectionKey, seq: 1, location: cell(1), leaseMs: 300_000 })
  resumeId = reply.id!
})

const worlds = (['express', 'node'] as const).flatMap((kind) => [
  { kind, transformer: false },
  { kind, transformer: true },
])

describe.for(worlds)('on $kind, with transformer: $transformer', ({ kind, transformer }) => {
  let stock: Host
  let ours: Host
  beforeAll(async () => {
    stock = await hosted(kind, false, transformer)
    ours = await hosted(kind, true, transformer)
  })
  afterAll(() => [stock, ours].forEach((host) => host.close()))

  test.for(casesOf(transformer, '(resume)').map(({ what }) => what))(
    '%s is answered as tRPC answers it',
    async (what) => {
      const { request, events = 0 } = casesOf(transformer, resumeId).find((each) => each.what === what)!
      stock.told.length = ours.told.length = 0
      const expected = await exchange(stock.port, request, events)
      const seen = await exchange(ours.port, request, events)
      expect(seen).toEqual(expected)
      expect(ours.told).toEqual(stock.told)
      expect(expected.status).toMatch(/^HTTP\/1\.1 \d{3}/)
    },
  )
})

test('headers of the app are on streams and posts alike', async () => {
  const extras = { responseMeta: () => ({ headers: { 'x-app': 'yes', 'cache-control': 'private' } }) }
  const [stock, ours] = [await hosted('node', false, false, extras), await hosted('node', true, false, extras)]
  for (const what of ['a stream', 'a post', 'a post with bad input', 'a stream in a closed room', 'a look']) {
    const { request, events = 0 } = casesOf(false, resumeId).find((each) => each.what === what)!
    const expected = await exchange(stock.port, request, events)
    expect(await exchange(ours.port, request, events)).toEqual(expected)
    expect(expected.headers).toContain('x-app: yes')
  }
  for (const host of [stock, ours]) host.close()
})
