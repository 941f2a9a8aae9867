import { createServer, request as httpRequest, type RequestListener } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
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
  type RequestGuardOptions,
} from 'hereabouts/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/* The request guard and tRPC parse the same request target: the guard must see each procedure that tRPC finds in it. */

const input = encodeURIComponent('{"room":"r"}')
const inputs = encodeURIComponent('{"0":{"room":"r"},"1":{"room":"r"},"2":{"room":"r"}}')

const targets = [
  `/trpc/locations.getLocations?input=${input}`,
  `/trpc/locations.getLocations#/hello?input=${input}`,
  `/trpc/locations.getLocations?input=${input}#/hello`,
  `/trpc/locations.getLocations?input=${input}&x=/hello`,
  `/trpc/hello#/locations.getLocations?input=${input}`,
  `/trpc/#/locations.getLocations?input=${input}`,
  `//trpc/locations.getLocations?input=${input}`,
  `/trpc//locations.getLocations?input=${input}`,
  `/trpc/locations.getLocations/?input=${input}`,
  `/trpc/locations.getLocations//?input=${input}`,
  `/trpc/hello/..%2flocations.getLocations?input=${input}`,
  `/trpc/hello/../locations.getLocations?input=${input}`,
  `/trpc/locations.getLocations/..?input=${input}`,
  `/trpc/./locations.getLocations?input=${input}`,
  `/trpc/locations%2egetLocations?input=${input}`,
  `/trpc/locations%2EgetLocations?input=${input}`,
  `/trpc/%6cocations.getLocations?input=${input}`,
  `/trpc%2flocations.getLocations?input=${input}`,
  `/trpc/hello%2flocations.getLocations?input=${input}`,
  `/trpc/locations%252egetLocations?input=${input}`,
  `/trpc/locations.getLocations%?input=${input}`,
  `/trpc/locations.getLocations;x=1?input=${input}`,
  `/trpc/locations.getLocations%00?input=${input}`,
  `/trpc\\locations.getLocations?input=${input}`,
  `/trpc/hello\\locations.getLocations?input=${input}`,
  `/trpc/hello\\locations.getLocations#?input=${input}`,
  `/trpc/locations\\getLocations?input=${input}`,
  `http://localhost/trpc/locations.getLocations?input=${input}`,
  `http://evil.example/trpc/locations.getLocations?input=${input}`,
  `/trpclocations.getLocations?input=${input}`,
  `/xxxx/locations.getLocations?input=${input}`,
  `/xxxxlocations.getLocations?input=${input}`,
  `/x/yylocations.getLocations?input=${input}`,
  `/trpc/locations.getLocations,hello?batch=1&input=${inputs}`,
  `/trpc/hello,locations.getLocations?batch=1&input=${inputs}`,
  `/trpc/hello%2clocations.getLocations?batch=1&input=${inputs}`,
  `/trpc/,locations.getLocations,?batch=1&input=${inputs}`,
  `/trpc/nothing,locations.getLocations?batch=1&input=${inputs}`,
  `/trpc/hello,locations.getLocations?batch=0&batch=1&input=${inputs}`,
  `/trpc/hello,locations.getLocations?batch=1&batch=0&input=${inputs}`,
  `/trpc/hello,locations.getLocations?input=${inputs}&%62atch=1`,
  `/trpc/hello,locations.getLocations/?batch=1&input=${inputs}`,
  `/trpclocations.getLocations,hello?batch=1&input=${inputs}`,
  `/trpc/locations/getLocations?input=${input}`,
  `/trpc/LOCATIONS.getLocations?input=${input}`,
  `/trpc/__proto__?input=${input}`,
]

const createContext = () => ({}) as never
type Handlers = { router: never; guard: (options?: RequestGuardOptions) => ReturnType<typeof createRequestGuard> }
const ways: [string, (handlers: Handlers) => RequestListener][] = [
  ['tRPC for Express', ({ router, guard }) => express().use('/trpc', guard(), createExpressMiddleware({ router, createContext })) as never],
  ['tRPC for Express, with a router', ({ router, guard }) => express().use('/trpc', guard({ router }), createExpressMiddleware({ router, createContext })) as never],
  ['tRPC for node:http', ({ router, guard }) => createHTTPHandler({ router, createContext, basePath: '/trpc/', middleware: guard() })],
  ['tRPC for node:http, with a router', ({ router, guard }) => createHTTPHandler({ router, createContext, basePath: '/trpc/', middleware: guard({ router }) })],
  ['our middleware', ({ router }) => createLocationMiddleware({ router })],
  ['our middleware in Express', ({ router }) => express().use('/trpc', createLocationMiddleware({ router })) as never],
] // prettier-ignore

/** Sends a request target unchanged. The HTTP clients of Node would normalize it. */
function ask(port: number, target: string, headers: string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1'))).on('error', () => {})
    socket.on('close', () => resolve(text))
    socket.write([`GET ${target} HTTP/1.1`, 'host: localhost', 'connection: close', ...headers, '', ''].join('\r\n'))
  })
}

describe.each(ways)('the request guard before %s', (_way, listener) => {
  let ran = 0
  const hub = createLocationHub({ location: cellLocation, limits: { readBurst: 1e6 } })
  const t = initTRPC.create({ isDev: false })
  const counted = t.procedure.use(({ next }) => {
    ran++
    return next()
  })
  const router = t.router({
    hello: t.procedure.query(() => 'hello'),
    locations: createLocationRouter({ hub, procedure: counted, anonymous: true }),
  })
  const server = createServer(listener({ router: router as never, guard: createRequestGuard }))
  let port = 0
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterAll(async () => {
    server.close()
    await hub.close()
  })

  test.each(targets)('no request target lets a page of another origin run a location procedure: %s', async (target) => {
    ran = 0
    await ask(port, target, ['origin: https://evil.example'])
    expect(ran).toBe(0)
  })

  test('an ordinary request target runs a location procedure, and other origins may still call procedures of the app', async () => {
    ran = 0
    expect(await ask(port, targets[0]!, [])).toMatch(/^HTTP\/1.1 200 /)
    expect(ran).toBe(1)
    expect(await ask(port, '/trpc/hello', ['origin: https://evil.example'])).toMatch(/^HTTP\/1.1 200 /)
  })

  test('JSON lines are refused with 400 for location queries, and served for posts and for procedures of the app', async () => {
    const lines = ['trpc-accept: application/jsonl']
    const batch = (path: string) => ask(port, `/trpc/${path}?batch=1&input=${inputs}`, lines)
    expect(await batch('locations.getLocations,locations.getLocations')).toMatch(/^HTTP\/1.1 400 .*httpBatchLink/s)
    expect(await batch('hello')).toMatch(/^HTTP\/1.1 200 /)
    expect(await batch('hello,locations.getLocations')).toMatch(/^HTTP\/1.1 400 .*httpBatchLink/s)
    const text = await new Promise<string>((resolve) => {
      const headers = { 'content-type': 'application/json', 'trpc-accept': 'application/jsonl' }
      const post = httpRequest({ port, method: 'POST', path: '/trpc/locations.postLocation?batch=1', headers })
      post.on('response', (response) => void response.toArray().then((parts) => resolve(parts.join(''))))
      post.end('{"0":{"room":"r","location":null}}')
    })
    expect(text).toContain('applied')
  })

  test('a batch with nine location calls is answered 400, whatever other calls are in the batch', async () => {
    const nine = Array(9).fill('locations.getLocations').join()
    for (const path of [nine, `${nine},nothing`, `nothing,${nine}`, `${nine},hello`])
      expect(await ask(port, `/trpc/${path}?batch=1&input=${inputs}`, [])).toMatch(/^HTTP\/1.1 400 .*at most 8 calls/s)
  })
})

test('calls of unknown procedures count toward the limit of eight location calls in a batch', async () => {
  const hub = createLocationHub({ location: cellLocation })
  const t = initTRPC.create({ isDev: false })
  const router = t.router({ locations: createLocationRouter({ hub, procedure: t.procedure, anonymous: true }) })
  const server = createServer(createLocationMiddleware({ router }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  expect(await ask(port, `/trpc/${'a,'.repeat(5_000)}a?batch=1`, [])).toMatch(/^HTTP\/1.1 400 .*at most 8 calls/s)
  expect(await ask(port, '/trpc/a,b?batch=1', [])).toMatch(/^HTTP\/1.1 404 /)
  server.close()
  await hub.close()
})

describe('the path option of createRequestGuard', () => {
  const t = initTRPC.create()
  const hub = createLocationHub({ location: cellLocation })
  const locations = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
  test.each([
    ['locations/', undefined],
    ['/trpc/locations', undefined],
    ['locations.', undefined],
    ['locations.*', undefined],
    [7, undefined],
    ['presence', t.router({ locations })],
    ['', t.router({ locations })],
    [undefined, t.router({ hello: t.procedure.query(() => 'hello') })],
  ])('createRequestGuard refuses the path %j, which has no location procedures, as `misconfigured`', (path, router) => {
    const options = { ...(path !== undefined && { path }), ...(router && { router }) } as RequestGuardOptions
    expect(() => createRequestGuard(options)).toThrow(expect.objectContaining({ code: 'misconfigured' }) as Error)
  })

  test('createRequestGuard accepts a path that has location procedures in the router, and a router without a path', () => {
    const accepted = [
      { path: 'presence', router: t.router({ presence: locations }) },
      { path: '', router: t.router(locations) },
      { router: t.router({ deep: t.router({ presence: locations }) }) },
    ]
    for (const options of accepted) expect(() => createRequestGuard(options)).not.toThrow()
  })
})
