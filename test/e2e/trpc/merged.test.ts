import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from '@trpc/client'
import { initTRPC, TRPCError } from '@trpc/server'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { EventSource } from 'eventsource'
import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import { cell } from '../../support/clients/stock-client.js'
import { tagged } from '../../support/tagged.js'
import { until } from '../../support/until.js'

/* Location procedures in the router of an app, with the app's context, middlewares, error format and transformer. */

type Context = { session: { login: string } | null }

function appOf(hub: ReturnType<typeof cellHub>) {
  const t = initTRPC.context<Context>().create({
    isDev: false,
    transformer: tagged,
    errorFormatter: ({ shape, error }) => ({
      ...shape,
      data: { ...shape.data, help: `https://help.example/${error.code}` },
    }),
  })
  const calls: string[] = []
  const signedIn = t.procedure
    .use(({ path, next }) => {
      calls.push(path)
      return next()
    })
    .use(({ ctx, next }) => {
      if (!ctx.session) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'Sign in first.' })
      return next({ ctx: { login: ctx.session.login } })
    })
  const locations = createLocationRouter({
    hub,
    procedure: signedIn,
    identify: ({ ctx }) => ({ memberId: ctx.login, profile: { name: ctx.login.toUpperCase() } }),
    authorize: ({ ctx, room }) => room.startsWith(`${ctx.login}-`) || room === 'lobby',
  })
  const router = t.router({
    version: t.procedure.query(() => ({ since: new Date(0) })),
    locations,
    docs: t.router({ title: t.procedure.query(() => 'Q3'), presence: t.router(locations) }),
  })
  return { router, calls }
}
type App = ReturnType<typeof appOf>['router']

const cellHub = () => createLocationHub({ location: cellLocation })

async function served() {
  const hub = cellHub()
  const { router, calls } = appOf(hub)
  const handler = createHTTPHandler({
    router,
    basePath: '/api/trpc/',
    createContext: ({ req }): Context => {
      const login = req.headers['x-login']
      return { session: typeof login === 'string' ? { login } : null }
    },
  })
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    hub,
    calls,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/trpc`,
    async [Symbol.asyncDispose]() {
      await hub.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function stock(url: string, login?: string) {
  const headers: Record<string, string> = login === undefined ? {} : { 'x-login': login }
  return createTRPCClient<App>({
    links: [
      splitLink({
        condition: ({ type }) => type === 'subscription',
        true: httpSubscriptionLink({
          url,
          EventSource,
          transformer: tagged,
          eventSourceOptions: () => ({
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          }),
        }),
        false: httpBatchLink({ url, headers, transformer: tagged }),
      }),
    ],
  })
}

describe("a location router merged into an app's own router", () => {
  test("location procedures that are merged into an app's router, one or two levels deep, run with the app's context and middlewares", async () => {
    await using app = await served()
    const { version, locations, docs } = stock(app.url, 'ada')
    const [{ since }, reply] = await Promise.all([
      version.query(),
      locations.postLocation.mutate({ room: 'lobby', location: cell(1) }),
    ])
    expect(since).toEqual(new Date(0))
    expect(reply).toMatchObject({ outcome: 'applied', memberId: 'ada' })
    // Both paths hold the same procedures, and so the same hub.
    expect(await docs.presence.countMembers.query({ rooms: ['lobby'] })).toEqual([{ room: 'lobby', members: 1 }])
    expect(await docs.title.query()).toBe('Q3')
    expect(await app.hub.room('lobby').members()).toMatchObject([{ memberId: 'ada', profile: { name: 'ADA' } }])
    expect(app.calls).toEqual(['locations.postLocation', 'docs.presence.countMembers'])
  })

  test("a stock subscription to merged location procedures uses the app's transformer", async () => {
    await using app = await served()
    const ada = stock(app.url, 'ada')
    const types: string[] = []
    const { unsubscribe } = ada.docs.presence.onLocation.subscribe(
      { room: 'lobby' },
      { onData: ({ data }) => void types.push(data.type) },
    )
    await until('the snapshot is here', () => types.length === 2)
    await ada.locations.postLocation.mutate({ room: 'lobby', location: cell(1) })
    await until('the change is here', () => types.length === 3)
    unsubscribe()
    expect(types).toEqual(['hello', 'snapshot', 'changes'])
  })

  test("errors of merged location procedures have the app's error format, and keep our error code and message", async () => {
    await using app = await served()
    const refused = stock(app.url, 'ada').locations.getLocations.query({ room: 'bob-private' })
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/^forbidden: /),
      data: { code: 'FORBIDDEN', help: 'https://help.example/FORBIDDEN' },
    })
    const stranger = stock(app.url).locations.postLocation.mutate({ room: 'lobby', location: null })
    await expect(stranger).rejects.toMatchObject({
      message: 'Sign in first.',
      data: { code: 'UNAUTHORIZED' },
    })
  })

  test('two of our clients see each other when one hub is merged into a router at two paths, one client at each', async () => {
    await using app = await served()
    const ada = createLocationClient<App, 'locations'>({
      url: app.url,
      path: 'locations',
      transformer: tagged,
      headers: { 'x-login': 'ada' },
    })
    const bob = createLocationClient<App, 'docs.presence'>({
      url: app.url,
      path: 'docs.presence',
      transformer: tagged,
      headers: { 'x-login': 'bob' },
    })
    const [adas, bobs] = [ada.join('lobby', { location: cell(1) }), bob.join('lobby', { location: cell(2) })]
    await until('both clients show each other', () => adas.others.length === 1 && bobs.others.length === 1)
    expect(adas.others[0]).toMatchObject({ memberId: 'bob', profile: { name: 'BOB' }, location: cell(2) })
    bobs.post(cell(3))
    await until('the move is seen', () => adas.others[0]?.location?.row === 3)
    await bob.close()
    await until('bob is gone', () => adas.others.length === 0)
    await ada.close()
  })

  test("our client closes the room as `unauthorized`, with the message of the app, when the app's middleware refuses the caller", async () => {
    await using app = await served()
    const client = createLocationClient<App, 'locations'>({ url: app.url, path: 'locations', transformer: tagged })
    const room = client.join('lobby')
    await expect(room.ready()).rejects.toMatchObject({ code: 'unauthorized', message: 'Sign in first.' })
    expect(room.status).toMatchObject({ state: 'closed', reason: 'unauthorized' })
    await client.close()
  })
})
