import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { initTRPC, TRPCError, tracked, lazy } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { createHTTP2Handler, createHTTPHandler } from '@trpc/server/adapters/standalone'
import { resolveResponse } from '@trpc/server/http'
import express from 'express'
import { cellLocation } from 'hereabouts'
import {
  createRequestGuard,
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  type RequestGuardOptions,
  type LocationMiddlewareOptions,
  type TimingOptions,
} from 'hereabouts/server'
import { expect } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import type { Answer, RawClient } from '../network/raw-client.js'
import { cell } from '../clients/stock-client.js'
import { until } from '../until.js'
import type { CellTypes } from '../cell-types.js'

/*
 * Serves one router twice, by tRPC's own middleware and by ours, each with its own hub. Both must behave the same,
 * except for random values. Some differences are intended and not compared: the stacks of `isDev`; a request body that
 * breaks off (tRPC waits for the rest for ever, we stop waiting); an `errorFormatter` that throws (in a stream it
 * crashes the process with tRPC 11.22); and the blocks of a compressed body.
 */

type Context = { user: string | null }

/** Limits high enough that one member may open as many streams and connections as a thousand members. */
export const lifted = {
  streamBurst: 1e6,
  memberStreams: 1e6,
  memberRoomStreams: 1e6,
  connectionBurst: 1e6,
  readBurst: 1e6,
}

type Handler = Parameters<typeof express.application.use>[1] & ((request: never, response: never) => void)

export type TwinOptions = {
  /** The options of initTRPC.create(). */
  trpc?: object
  /** The options of the middleware, besides the router. */
  middleware?: Partial<LocationMiddlewareOptions<never>> | object
  /** Default: the user is the value of the header `x-user`. */
  createContext?: (options: { req: IncomingMessage; info: Info }) => unknown
  timing?: TimingOptions
  /** Uses a procedure without middlewares, for which our middleware runs posts without tRPC's middleware chain. */
  isBare?: boolean
  /** The request guard, in front of tRPC's middleware and inside ours. Default: none. */
  requestGuard?: RequestGuardOptions
  /** Mounts the handler in a server. Default: in Express, under `/trpc`. */
  mount?: (handler: Handler) => RequestListener
  /** The handler of tRPC to compare with, which also selects the kind of server. Default: `createExpressMiddleware`. */
  stock?: keyof typeof stockHandlers
}

type Info = {
  type: string
  accept: string | null
  isBatchCall: boolean
  connectionParams: unknown
  calls: { path: string }[]
  url: URL | null
}

/** A record of one call of an app callback. */
export type Said = Record<string, unknown>

export interface Twin {
  readonly name: 'stock' | 'ours'
  readonly hub: CellHub
  readonly port: number
  readonly said: Said[]
  /** The server sides of the open connections. */
  readonly sockets: ReadonlySet<Socket>
  /** Moves a connection in a room by a call on the server, not over HTTP. */
  post(room: string, key: number, row: number): Promise<void>
}

const stockHandlers = {
  express: createExpressMiddleware,
  standalone: createHTTPHandler,
  http2: createHTTP2Handler,
} as unknown as Record<'express' | 'standalone' | 'http2', (options: object) => Handler>

/** True if this version of tRPC has the option `pathSeparator`, which came with 11.23. */
export const hasSeparators = await (async () => {
  const options: object = { pathSeparator: '~' }
  const t = initTRPC.create(options)
  const router = t.router({ a: t.router({ b: t.procedure.query(() => 0) }) })
  const asked = { router, req: new Request('http://localhost/a~b'), path: 'a~b', error: null }
  const { status } = await resolveResponse({ ...asked, createContext: async () => ({}) })
  return status === 200
})()

// Heartbeats come at different times in the two servers, so they are disabled.
const noBeats = { beatMs: 600_000 }

type CellHub = Hub<CellTypes>

const keyOf = (key: number) => String(key).padStart(22, 'k')

async function twin(name: Twin['name'], options: TwinOptions): Promise<Twin & AsyncDisposable> {
  const said: Said[] = []
  const hub = createLocationHub({ location: cellLocation, limits: lifted, timing: { ...noBeats, ...options.timing } })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub gave a hub that is not a Hub')
  const { router, caller } = appOf(hub, options, said)
  const { stock = 'express', requestGuard } = options
  const all = { ...listeners(said, options), router, ...options.middleware }
  const handler =
    name === 'ours'
      ? (createLocationMiddleware({ ...all, ...(requestGuard ?? { requestGuard: false }) } as never) as Handler)
      : stockHandlers[stock]({
          ...all,
          basePath: '/trpc/',
          ...(requestGuard && { middleware: createRequestGuard(requestGuard) }),
        })
  const mount =
    options.mount ?? ((each) => (stock === 'express' ? express().use('/trpc', each) : (each as RequestListener)))
  const server = stock === 'http2' ? createHttp2Server(mount(handler) as never) : createServer(mount(handler))
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    name,
    hub,
    said,
    sockets,
    port: (server.address() as AddressInfo).port,
    async post(room, key, row) {
      await caller.locations.postLocation({ room, connectionKey: keyOf(key), location: cell(row) })
    },
    async [Symbol.asyncDispose]() {
      await hub.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Creates the router of an app: location procedures at several paths, and procedures of the app of every kind. */
export function appOf(hub: CellHub, { trpc = {}, isBare = false }: TwinOptions, said: Said[]) {
  const t = initTRPC.context<Context>().create({ isDev: false, ...trpc })
  const listening = t.procedure.use(({ path, type, signal, next }) => {
    signal?.addEventListener('abort', () => said.push({ aborted: path, reason: (signal.reason as Error).name }))
    return next().finally(() => said.push({ called: path, type }))
  })
  const heard = isBare ? (t.procedure as unknown as typeof listening) : listening
  const guarded = {
    hub,
    procedure: heard,
    identify: ({ ctx }: { ctx: Context }) => {
      if (ctx.user === 'bug') throw new RangeError('A bug in the app.')
      if (!ctx.user) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'Say who you are.' })
      return { memberId: ctx.user, profile: { name: ctx.user } }
    },
    authorize: ({ room }: { room: string }) => !room.startsWith('closed'),
  }
  const locations = createLocationRouter(guarded)
  const wrapped = createLocationRouter({
    ...guarded,
    procedure: heard.use(async ({ next }) => {
      const result = await next()
      return result.ok ? { ...result, data: rewrapped(result.data) } : result
    }),
  })
  const presence = t.router(locations)
  const router = t.router({
    locations,
    wrapped,
    deep: t.router({ presence, deeper: t.router({ presence }) }),
    late: lazy(() => Promise.resolve({ late: t.router(locations) })),
    version: heard.query(() => ({ since: new Date(0), until: undefined })),
    broken: heard.query(() => {
      throw new Error('A wheel came off.')
    }),
    echo: heard.input((raw: unknown) => raw).mutation(({ input }) => ({ input })),
    slow: heard.mutation(
      ({ signal }) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve('aborted'))),
    ),
    ticks: heard.subscription(async function* ({ signal }) {
      yield tracked('1', { tick: 1 })
      yield { tick: 2 }
      await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    }),
    countdown: heard.subscription(async function* () {
      yield* [3, 2, 1]
    }),
    failing: heard.subscription(async function* () {
      yield 1
      throw new TRPCError({ code: 'CONFLICT', message: 'Somebody else counts.' })
    }),
  })
  return { router, caller: t.createCallerFactory(router)({ user: 'ada' }) }
}

function rewrapped(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !(Symbol.asyncIterator in data)) return data
  return (async function* () {
    yield* data as AsyncIterable<unknown>
  })()
}

/** Callbacks that record in `said` every event that an app can observe. */
export function listeners(said: Said[], options: TwinOptions) {
  const identified = ({ req }: { req: IncomingMessage; info: Info }): unknown => ({
    user: req.headers['x-user'] ?? null,
  })
  const createContext = options.createContext ?? identified
  type Failure = { error: TRPCError; path: unknown; type: unknown; input: unknown; ctx: unknown; req: IncomingMessage }
  return {
    createContext(about: { req: IncomingMessage; info: Info }) {
      const { type, accept, isBatchCall, connectionParams, calls, url } = about.info
      const paths = calls.map(({ path }) => path)
      const address = url && `${url.protocol}${url.pathname}${url.search}`
      said.push({ context: paths, type, accept, isBatchCall, connectionParams, address })
      return createContext(about)
    },
    onError({ error, path, type, input, ctx, req }: Failure) {
      const cause = error.cause && { name: error.cause.name, message: error.cause.message }
      said.push({ error: error.code, message: error.message, cause, path, type, input, ctx, url: req.url })
    },
  }
}

export type Twins = AsyncDisposable & { stock: Twin; ours: Twin; both: Twin[] }

export async function twins(options: TwinOptions = {}): Promise<Twins> {
  const [stock, ours] = await Promise.all([twin('stock', options), twin('ours', options)])
  return {
    stock,
    ours,
    both: [stock, ours],
    async [Symbol.asyncDispose]() {
      await Promise.all([stock[Symbol.asyncDispose](), ours[Symbol.asyncDispose]()])
    },
  }
}

/** Runs `observe` with both servers and expects equal results and callback calls. Returns the result with tRPC's. */
export async function alike<T>({ stock, ours }: Twins, observe: (twin: Twin) => Promise<T>): Promise<T> {
  const [seen, seenOfOurs] = await Promise.all([observe(stock), observe(ours)])
  expect(plain({ seen: seenOfOurs, said: ours.said })).toEqual(plain({ seen, said: stock.said }))
  return seen
}

export const headersIn = (headers: Answer['headers']) =>
  headers.map(([name, value]) => `${name}: ${/^date$/i.test(name) ? 'DATE' : value}`)

/** Returns all that is compared of a response. A compressed body is decoded, because its blocks depend on timing. */
export const seenOf = ({ status, headers, body, isWhole }: Answer) => ({
  status,
  headers: headersIn(headers),
  body: (headers.some(([, value]) => value === 'gzip') ? gunzipSync(body) : body).toString(),
  isWhole,
})

/** Returns the head and the first `count` events of a stream that does not end. */
export async function seenOfStream(client: RawClient, count: number) {
  const events = await client.events(count)
  const { body: _body, ...head } = seenOf(client.answers[0]!)
  return { ...head, events }
}

/** Resolves when a twin has closed all its streams. */
export const quiet = (twin: Twin) => until(`${twin.name} is quiet`, () => twin.hub.streams.size === 0)

/** Returns a copy in which random values are replaced by numbers in their order of appearance. */
export function plain(value: unknown): unknown {
  const names = new Map<string, string>()
  const nameOf = (kind: string, item: string) => {
    const known = names.get(kind + item)
    if (known) return known
    const name = `${kind}-${[...names.keys()].filter((key) => key.startsWith(kind)).length}`
    names.set(kind + item, name)
    return name
  }
  const text = JSON.stringify(value, (_key, item: unknown) => (item === undefined ? 'UNDEFINED' : item))
  return JSON.parse(
    text
      .replace(/(?<=%22|(?<![\w-]))([\w-]{11})\.(\d{16}|0)(?!\d)/g, (_all, epoch: string, at: string) => {
        return `${nameOf('EPOCH', epoch)}.${nameOf('AT', at)}`
      })
      .replace(/(?<=\\*"at\\*":)\d{16}/g, (at) => nameOf('AT', at))
      .replace(/(?<=\\*"(?:connectionId|memberId|connectionKey)\\*":\\*")([\w-]{16,22})/g, (id) => nameOf('ID', id)),
  )
}
