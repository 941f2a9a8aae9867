import { Agent, createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { initTRPC, lazy } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import express from 'express'
import { cellLocation } from 'hereabouts'
import {
  createRequestGuard,
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  type RequestGuardOptions,
} from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusalCodes } from '../../../../src/server/http/guard/origin-check.js'
import { raw } from '../../../support/network/raw.js'

/* Tests the request guard of createLocationServer, and of apps that merge the location procedures into their router. */

const listed = 'https://app.example'
const guardOptions = { origins: [listed] }
/** Limits above the number of calls that these tests make. */
const limits = { postBurst: 1e6, readBurst: 1e6, connectionBurst: 1e6 }

/** Identifies a caller by a cookie or a bearer token, which may have expired. */
const identify = (cookie: string | undefined, authorization: string | undefined) => {
  const said = /session=(\w+)/.exec(cookie ?? '')?.[1] ?? /^Bearer (\w+)$/.exec(authorization ?? '')?.[1]
  if (said === 'late') return { memberId: 'ada', expiresAt: new Date(0) }
  if (said !== 'good') throw new Error('no session')
  return { memberId: 'ada' }
}

type Ctx = { cookie?: string | undefined; authorization?: string | undefined }
type App = { url: string; close(): Promise<unknown> }

async function served(listener: RequestListener, close: () => Promise<void>): Promise<App> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/trpc/locations.`,
    close: async () => (server.closeAllConnections(), server.close(), close()),
  }
}

/** An app whose router has a procedure of its own beside the location procedures. */
function merged() {
  const hub = createLocationHub({ location: cellLocation, limits })
  const t = initTRPC.context<Ctx>().create({ isDev: false })
  const router = t.router({
    hello: t.procedure.query(() => 'hello'),
    locations: createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: ({ ctx }) => identify(ctx.cookie, ctx.authorization),
      authorize: () => true,
    }),
  })
  const createContext = ({ req }: { req: { headers: Ctx } }): Ctx => ({
    cookie: req.headers.cookie,
    authorization: req.headers.authorization,
  })
  return { hub, router, createContext }
}

const ways: Record<string, (options?: RequestGuardOptions) => Promise<App>> = {
  async 'our own server'() {
    const server = createLocationServer({
      location: cellLocation,
      limits,
      ...guardOptions,
      identify: ({ ctx: { headers } }) =>
        identify(headers.get('cookie') ?? undefined, headers.get('authorization') ?? undefined),
      authorize: () => true,
    })
    const { trpcUrl } = await server.listen(0)
    return { url: `${trpcUrl}/`, close: () => server.close() }
  },
  async 'Express, before express.json()'(options = guardOptions) {
    const { hub, ...trpc } = merged()
    const app = express()
    app.use('/trpc', createRequestGuard(options), createExpressMiddleware(trpc))
    app.use(express.json())
    return served(app, () => hub.close())
  },
  async 'Express, after express.json()'(options = guardOptions) {
    const { hub, ...trpc } = merged()
    const app = express()
    app.use(express.json())
    app.use('/trpc', createRequestGuard(options), createExpressMiddleware(trpc))
    return served(app, () => hub.close())
  },
  async 'our middleware, after express.json()'(options = guardOptions) {
    const { hub, ...trpc } = merged()
    const app = express()
    app.use(express.json())
    app.use('/trpc', createLocationMiddleware({ ...trpc, ...options }))
    return served(app, () => hub.close())
  },
  async 'our middleware, alone'(options = guardOptions) {
    const { hub, ...trpc } = merged()
    return served(createLocationMiddleware({ ...trpc, ...options }), () => hub.close())
  },
  async "node:http, in the adapter's own option"(options = guardOptions) {
    const { hub, ...trpc } = merged()
    const handler = createHTTPHandler({ ...trpc, basePath: '/trpc/', middleware: createRequestGuard(options) })
    return served(handler, () => hub.close())
  },
}

const origins = { none: undefined, own: 'own', listed, foreign: 'https://evil.example', sandboxed: 'null' }
const hosts = { own: undefined, rebound: 'evil.example' }
const sites = { none: undefined, same: 'same-origin', sibling: 'same-site', cross: 'cross-site' }
const contents = {
  json: 'application/json',
  'json with charset': 'application/json; charset=utf-8',
  form: 'application/x-www-form-urlencoded',
  multipart: 'multipart/form-data; boundary=x',
  text: 'text/plain',
  none: undefined,
}
const tokens = {
  'no token': {},
  'a good cookie': { cookie: 'a=b; session=good' },
  'an old cookie': { cookie: 'session=late' },
  'a good bearer': { authorization: 'Bearer good' },
  'a bad bearer': { authorization: 'Bearer {}' },
}
const methods = ['GET', 'POST', 'OPTIONS', 'PUT', 'HEAD'] as const

type Asked = {
  method: (typeof methods)[number]
  origin: keyof typeof origins
  host: keyof typeof hosts
  site: keyof typeof sites
  content: keyof typeof contents
  token: keyof typeof tokens
}

/** Returns the expected status of a request, by the first rule that applies. */
function expected({ method, origin, host, site, content, token }: Asked): number {
  if (method === 'PUT') return 405
  if (host === 'rebound') return 403
  if (origin === 'foreign' || origin === 'sandboxed') return 403
  if ((site === 'cross' || site === 'sibling') && origin !== 'listed') return 403
  if (method === 'POST' && !content.startsWith('json')) return 415
  if (method === 'OPTIONS' || method === 'HEAD') return 204
  if (content === 'multipart') return 405
  return token.includes('good') ? 200 : 401
}

function* requests(): Generator<Asked> {
  for (const method of methods)
    for (const origin of Object.keys(origins) as Asked['origin'][])
      for (const host of Object.keys(hosts) as Asked['host'][])
        for (const site of Object.keys(sites) as Asked['site'][])
          for (const content of Object.keys(contents) as Asked['content'][])
            for (const token of Object.keys(tokens) as Asked['token'][])
              yield { method, origin, host, site, content, token }
}

test('the request guard covers a lazy router with location procedures from its first call on, and no other lazy router', async () => {
  const { router, hub, createContext } = merged()
  const t = initTRPC.context<Ctx>().create({ isDev: false })
  const late = t.router({
    late: lazy(() => Promise.resolve({ late: router })),
    other: lazy(() => Promise.resolve({ other: t.router({ hello: t.procedure.query(() => 'hello') }) })),
  })
  const app = await served(createLocationMiddleware({ router: late, createContext }), () => hub.close())
  const evil = (path: string) => raw(new URL(path, app.url).href, { headers: { origin: 'https://evil.example', cookie: 'session=good' } }) // prettier-ignore
  for (const _ of [1, 2]) {
    expect((await evil('late.locations.getLocations?input={"room":"r"}')).status).toBe(403)
    expect((await evil('other.hello')).status).toBe(200)
  }
  await app.close()
})

test('requestGuard: false disables the request guard', async () => {
  const { router, hub, createContext } = merged()
  const app = await served(createLocationMiddleware({ router, createContext, requestGuard: false }), () => hub.close())
  const { status, headers } = await raw(`${app.url}getLocations?input={"room":"r"}`, {
    headers: { origin: 'https://evil.example', cookie: 'session=good' },
  })
  expect([status, headers['cache-control']]).toEqual([200, undefined])
  await app.close()
})

test('a server.requestTimeout longer than the 60 seconds of a tombstone is logged as one warning', async () => {
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const hub = createLocationHub({ location: cellLocation, logger })
  const t = initTRPC.create()
  const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true, clientIp: () => undefined })
  const handler = createLocationMiddleware({ router: t.router({ locations }) })
  const app = await served(handler, () => hub.close())
  const post = () => raw(`${app.url}postLocation`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"room":"r","location":null}' }) // prettier-ignore
  for (const { status } of [await post(), await post()]) expect(status).toBe(200)
  expect(warnings).toEqual([
    expect.stringMatching(/^server\.requestTimeout is 300000: .* set it to 20000\.$/),
    expect.stringMatching(/^server\.timeout is 0: /),
  ])
  await app.close()
})

describe.each(Object.entries(ways))('%s', (way, start) => {
  let app: App
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  beforeAll(async () => void (app = await start()))
  afterAll(async () => {
    agent.destroy()
    await app.close()
  })

  async function ask({ method, origin, host, site, content, token }: Asked) {
    const { host: own } = new URL(app.url)
    const given = {
      origin: origins[origin] === 'own' ? `http://${own}` : origins[origin],
      host: hosts[host] ?? own,
      'sec-fetch-site': sites[site],
      'content-type': contents[content],
      ...tokens[token],
    }
    const headers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const post = method === 'POST' || method === 'PUT'
    const input = JSON.stringify(post ? { room: 'r', location: { sheet: 'Q3', row: 1, col: 1 } } : { room: 'r' })
    const path = post ? 'postLocation' : `getLocations?input=${encodeURIComponent(input)}`
    return raw(`${app.url}${path}`, { method, headers, agent, ...(post && { body: input }) })
  }

  test(
    'each of 6,000 combinations of method, origin, host, site, content type and token gets the documented status',
    { timeout: 60_000 },
    async () => {
      const all = [...requests()]
      expect(all).toHaveLength(6_000)
      const wrong: string[] = []
      const one = async (asked: Asked) => {
        const { status, headers, body } = await ask(asked)
        const about = `${JSON.stringify(asked)} -> ${status} ${body.slice(0, 80)}`
        if (status !== expected(asked)) wrong.push(`${about}, not ${expected(asked)}`)
        if (headers['cache-control'] !== 'no-store' || headers['x-content-type-options'] !== 'nosniff')
          wrong.push(`${about}: headers`)
        const told = asked.origin === 'listed' ? listed : undefined
        if (headers['access-control-allow-origin'] !== told) wrong.push(`${about}: CORS`)
        if (body.includes('stack') || body.includes('no session')) wrong.push(`${about}: says too much`)
      }
      for (let i = 0; i < all.length; i += 100) await Promise.all(all.slice(i, i + 100).map(one))
      expect(wrong.slice(0, 10)).toEqual([])
    },
  )

  const json = { 'content-type': 'application/json', ...tokens['a good cookie'] }
  const post = (path: string, body: string, headers: object = {}) =>
    raw(new URL(path, app.url).href, { method: 'POST', headers: { ...json, ...headers }, body })
  const own = () => app.url.slice(app.url.lastIndexOf('/') + 1)

  test('a request body of 8 KiB is accepted, and a body that is one byte longer is answered 413', async () => {
    const fill = (bytes: number) => '{"room":"r","location":null}'.padEnd(bytes)
    expect((await post(`${own()}postLocation`, fill(8_192))).status).toBe(200)
    expect((await post(`${own()}postLocation`, fill(8_193))).status).toBe(413)
  })

  test('each response lists origin in its Vary header, with or without an Origin in the request', async () => {
    const path = `${own()}getLocations?input=${encodeURIComponent('{"room":"r"}')}`
    for (const headers of [{}, { origin: listed }]) {
      const asked = raw(new URL(path, app.url).href, { headers: { cookie: 'session=good', ...headers } })
      const posted = post(`${own()}postLocation`, '{"room":"r","location":null}', headers)
      for (const { status, headers: answered } of await Promise.all([asked, posted]))
        expect([status, answered.vary?.split(', ').toSorted()]).toEqual([200, ['accept', 'origin', 'trpc-accept']])
    }
  })

  test('a batch of eight calls is accepted, and a batch of nine calls is answered 400', async () => {
    const batch = (calls: number) => {
      const inputs = Array.from({ length: calls }, () => ({ room: 'r', location: null }))
      const path = inputs.map(() => `${own()}postLocation`).join()
      return post(`${path}?batch=1`, JSON.stringify(Object.fromEntries(inputs.entries())))
    }
    expect((await batch(8)).status).toBe(200)
    expect((await batch(9)).status).toBe(400)
  })

  test('a location with 4,000 levels of nested brackets is answered 400', async () => {
    const deep = `{"room":"r","location":${'['.repeat(4_000)}${']'.repeat(4_000)}}`
    expect((await post(`${own()}postLocation`, deep)).status).toBe(400)
  })

  if (way === 'our own server') return

  test("the request guard does not check calls of the app's own procedures", async () => {
    const hello = await raw(new URL('hello', app.url).href, { headers: { origin: 'https://evil.example' } })
    expect([hello.status, JSON.parse(hello.body)]).toEqual([200, { result: { data: 'hello' } }])
    expect(hello.headers['cache-control']).toBeUndefined()
  })

  test("the request guard checks a location call in a batch with calls of the app's own procedures", async () => {
    const input = encodeURIComponent(JSON.stringify({ 1: { room: 'r' } }))
    const ask = (path: string, headers: Record<string, string>) =>
      raw(new URL(`${path}?batch=1&input=${input}`, app.url).href, { headers })
    expect((await ask('hello,locations.getLocations', { cookie: 'session=good' })).status).toBe(200)
    for (const path of ['hello,locations.getLocations', 'hello,%6cocations.getLocations'])
      expect((await ask(path, { cookie: 'session=good', origin: 'https://evil.example' })).status).toBe(403)
  })
})

test("refusals of the request guard have tRPC's error codes", () => {
  for (const [code, [, rpcCode]] of Object.entries(refusalCodes))
    expect(rpcCode).toBe(TRPC_ERROR_CODES_BY_KEY[code as keyof typeof refusalCodes])
})
