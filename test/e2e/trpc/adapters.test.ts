import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import type { LocationEvent } from 'hereabouts'
import { createLocationMiddleware, type HttpRequest } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { locationApp, type AppContext } from '../../support/servers/location-app.js'
import { cell, newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'
import type { CellTypes } from '../../support/cell-types.js'

/*
 * The same procedures behind each HTTP adapter. A stream that the server ends must end its body without another event:
 * after a `return` event stock clients never reconnect, an error event would reach the app's error handlers, and a call
 * of onError would report a failure where there is none.
 */

type App = ReturnType<typeof locationApp>
type Event = LocationEvent<CellTypes>
type Body = { text: string; ended: boolean; cancel(): Promise<void> }

const userOf = (header: string | null | undefined): AppContext => ({ user: header ?? null })
const people = {
  identify: ({ ctx }: { ctx: AppContext }) => ({ memberId: ctx.user ?? 'nobody' }),
  authorize: () => true,
}

async function served(handler: Parameters<typeof createServer>[1]) {
  const server: Server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    fetch: (path: string, init?: RequestInit) =>
      fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
type Served = { fetch(path: string, init?: RequestInit): Promise<Response> } & AsyncDisposable

const adapters: [string, (app: App) => Promise<Served>][] = [
  [
    'express',
    ({ router, onError }) => {
      const createContext = ({ req }: { req: express.Request }) => userOf(req.get('x-user'))
      return served(express().use('/trpc', createExpressMiddleware({ router, createContext, onError })))
    },
  ],
  [
    'our own middleware, on Express',
    ({ router, onError }) => {
      const createContext = ({ req }: { req: express.Request }) => userOf(req.get('x-user'))
      return served(express().use('/trpc', createLocationMiddleware({ router, createContext, onError })))
    },
  ],
  [
    'our own middleware, on node:http',
    ({ router, onError }) => {
      const createContext = ({ req }: { req: HttpRequest }) => userOf(req.headers['x-user']?.toString())
      return served(createLocationMiddleware({ router, createContext, onError }))
    },
  ],
  [
    'standalone',
    ({ router, onError }) => {
      const createContext = ({ req }: { req: { headers: Record<string, unknown> } }) =>
        userOf(req.headers['x-user'] as string | undefined)
      return served(createHTTPHandler({ router, createContext, onError, basePath: '/trpc/' }))
    },
  ],
  [
    'fetch',
    async ({ router, onError }) => ({
      fetch: (path, init) =>
        fetchRequestHandler({
          endpoint: '/trpc',
          req: new Request(`http://localhost${path}`, init),
          router,
          createContext: ({ req }) => userOf(req.headers.get('x-user')),
          onError,
        }),
      async [Symbol.asyncDispose]() {},
    }),
  ],
]

/** Opens a stream, and reads it for as long as it lasts. */
async function streamOf({ fetch }: Served, input: object, user = 'ada'): Promise<Body> {
  const path = `/trpc/locations.onLocation?input=${encodeURIComponent(JSON.stringify(input))}`
  const response = await fetch(path, { headers: { accept: 'text/event-stream', 'x-user': user } })
  expect(response.status).toBe(200)
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  const body = { text: '', ended: false, cancel: () => reader.cancel() }
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      body.text += decoder.decode(value, { stream: true })
    }
    body.ended = true
  }
  read().catch((error: unknown) => (body.text += `\nthe body broke: ${String(error)}`))
  return body
}

const eventsIn = ({ text }: Body) => Array.from(text.matchAll(/^event: (.*)$/gm), ([, name]) => name)

describe.for(adapters)('behind %s', ([, serve]) => {
  test('a stream sends hello, a snapshot, and each change, whichever adapter serves it', async () => {
    await using app = locationApp()
    await using server = await serve(app)
    const body = await streamOf(server, { room: 'x' })
    await until('the snapshot is here', () => body.text.includes('"snapshot"'))
    const response = await server.fetch('/trpc/locations.postLocation', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ room: 'x', location: cell(1) }),
    })
    expect(await response.json()).toMatchObject({ result: { data: { outcome: 'applied' } } })
    await until('the change is here', () => body.text.includes('"entered"'))
    await body.cancel()
    expect(app.errors).toEqual([])
  })

  test('a stream of a hub that drains ends with a `bye` event, without a `return` event, an error event or a call of onError', async () => {
    await using app = locationApp({ timing: { scale: 1 / 100 } })
    await using server = await serve(app)
    const body = await streamOf(server, { room: 'x' })
    await until('the snapshot is here', () => body.text.includes('"snapshot"'))
    await app.hub.drain()
    await until('the body has ended', () => body.ended)
    expect(eventsIn(body)).toEqual(['connected'])
    expect(body.text).toMatch(/data: \{"type":"bye","reason":"draining"\}\nid: [\w-]{11}\.\d+\n\n\n$/)
    expect(app.errors).toEqual([])
    const refused = await streamOf(server, { room: 'x' })
    await until('the next stream is refused', () => refused.ended)
    expect(refused.text).toMatch(/serialized-error.*SERVICE_UNAVAILABLE/s)
  })

  test('a stream that reaches its maximum age (rotateMs) ends with a `bye` event whose reason is `rotated`', async () => {
    await using app = locationApp({ timing: { beatMs: 100, rotateMs: 200 } })
    await using server = await serve(app)
    const body = await streamOf(server, { room: 'x' })
    await until('the body has ended', () => body.ended)
    expect(eventsIn(body)).toEqual(['connected'])
    expect(body.text).toContain('data: {"type":"bye","reason":"rotated"}')
    expect(app.errors).toEqual([])
  })

  test('a stream whose identity expires ends with a `bye` event whose reason is `expired`', async () => {
    const identify = () => ({ memberId: 'ada', expiresAt: new Date(Date.now() + 200) })
    await using app = locationApp({ access: { ...people, identify } })
    await using server = await serve(app)
    const body = await streamOf(server, { room: 'x' })
    await until('the body has ended', () => body.ended)
    expect(eventsIn(body)).toEqual(['connected'])
    expect(body.text).toContain('data: {"type":"bye","reason":"expired"}')
    expect(app.errors).toEqual([])
  })

  test('revoking a member ends the stream of that member with FORBIDDEN, and no stream of another member', async () => {
    await using app = locationApp({ access: people })
    await using server = await serve(app)
    const ada = await streamOf(server, { room: 'x' }, 'ada')
    const bob = await streamOf(server, { room: 'x' }, 'bob')
    await until('both streams have begun', () => ada.text.includes('"snapshot"') && bob.text.includes('"snapshot"'))
    await app.hub.revoke('ada')
    await until('the body has ended', () => ada.ended)
    expect(eventsIn(ada)).toEqual(['connected', 'serialized-error'])
    expect(ada.text).toMatch(/"type":"bye","reason":"revoked".*serialized-error.*"code":"FORBIDDEN"/s)
    expect(ada.text).not.toContain('stack')
    expect(bob.ended).toBe(false)
    await bob.cancel()
  })

  test('closing the hub ends each stream without an error event or a call of onError', async () => {
    await using app = locationApp()
    await using server = await serve(app)
    const body = await streamOf(server, { room: 'x' })
    await until('the snapshot is here', () => body.text.includes('"snapshot"'))
    await app.hub.close()
    await until('the body has ended', () => body.ended)
    expect(eventsIn(body)).toEqual(['connected'])
    expect(app.errors).toEqual([])
  })

  test('a client that disconnects from its stream gets a shorter lease', async () => {
    await using app = locationApp({ timing: { scale: 1 / 20 } })
    await using server = await serve(app)
    const connectionKey = newKey()
    const { connectionId } = await app
      .caller()
      .locations.postLocation({ room: 'x', connectionKey, location: null, leaseMs: 15_000 })
    const body = await streamOf(server, { room: 'x', connectionKey })
    await until('the snapshot is here', () => body.text.includes(connectionId))
    await body.cancel()
    await until('the connection is gone', async () => (await app.hub.room('x').count()) === 0, 5_000)
    expect(app.errors).toEqual([])
  })
})

describe('location procedures called on the server', () => {
  test('onLocation called on the server returns an async iterable, which throws an AbortError when the signal is aborted', async () => {
    await using app = locationApp()
    const closing = new AbortController()
    const { locations } = app.caller(null, closing.signal)
    const events: Event[] = []
    const reading = (async () => {
      for await (const [id, event] of (await locations.onLocation({ room: 'x' })) as unknown as AsyncIterable<
        [string, Event]
      >) {
        expect(id).toMatch(/^[\w-]{11}\.\d+$/)
        events.push(event)
      }
    })()
    await until('the stream has begun', () => events.length === 2)
    await locations.postLocation({ room: 'x', location: cell(1) })
    await until('the post is seen', () => events.length === 3)
    expect(events.map(({ type }) => type)).toEqual(['hello', 'snapshot', 'changes'])
    closing.abort()
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('onLocation called on the server allows `break` in a for-await loop after any event', async () => {
    await using app = locationApp()
    const { locations } = app.caller()
    for await (const _event of await locations.onLocation({ room: 'x' })) break
    const [counted] = await locations.countMembers({ rooms: ['x'] })
    expect(counted).toEqual({ room: 'x', members: 0 })
  })

  test('queries and mutations called on the server return their results directly', async () => {
    await using app = locationApp()
    const { locations } = app.caller()
    const { connectionKey, id } = await locations.postLocation({ room: 'x', location: cell(1) })
    expect(await locations.getLocations({ room: 'x' })).toMatchObject({ id, event: { type: 'snapshot' } })
    expect(await locations.leaveRoom({ room: 'x', connectionKey: connectionKey! })).toEqual({ outcome: 'left' })
  })
})
