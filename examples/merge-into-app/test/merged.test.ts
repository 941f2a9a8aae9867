import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  isNonJsonSerializable,
  splitLink,
  TRPCClientError,
} from '@trpc/client'
import { createLocationClient } from 'hereabouts/client'
import { locationContract } from 'hereabouts/testing'
import superjson from 'superjson'
import { createApp as appBefore, type AppRouter as RouterBefore } from '../before/app.js'
import { createApp, type AppRouter } from '../src/app.js'

async function serve(served: ReturnType<typeof appBefore>['app']) {
  const server = served.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`
}

// All timing runs twenty times as fast as usual, and limits allow one member to run the whole contract.
const most = 10_000
const limits = {
  postBurst: most,
  readBurst: most,
  leaveBurst: most,
  connectionBurst: most,
  streamBurst: most,
  memberRooms: most,
  memberStreams: most,
}
const { app, sheets, texts } = createApp({
  timing: { scale: 1 / 20, leaseMinMs: 500, graceMaxMs: 1_000, requestMs: 20_000 },
  limits,
})
const [url, urlBefore] = [await serve(app), await serve(appBefore().app)]
after(() => Promise.all([sheets.close(), texts.close()]))

/** The client of the app, unchanged: batches, uploads and a cookie. */
async function signedIn(url: string, name: string) {
  const input = superjson.stringify({ name })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/signIn`, { method: 'POST', headers, body: input })
  const cookie = response.headers.getSetCookie()[0]!.split(';')[0]!
  return { cookie, trpc: clientOf(url, cookie) }
}
const clientOf = (url: string, cookie = '') =>
  createTRPCClient<RouterBefore>({
    links: [
      splitLink({
        condition: ({ input }) => isNonJsonSerializable(input),
        true: httpLink({
          url,
          headers: { cookie },
          transformer: { serialize: (form) => form, deserialize: superjson.deserialize },
        }),
        false: httpBatchLink({ url, headers: { cookie }, transformer: superjson }),
      }),
    ],
  })

test('src/app.ts differs from before/app.ts in at most fifteen added lines and five replaced lines', () => {
  const lines = (path: string) => readFileSync(path, 'utf8').split('\n').filter(Boolean)
  const [before, now] = [lines('before/app.ts'), lines('src/app.ts')]
  const added = now.filter((line) => !before.includes(line))
  assert.ok(added.length <= 15, `${added.length} lines:\n${added.join('\n')}`)
  // The five changed lines: the imports, and createExpressMiddleware, which becomes createLocationMiddleware.
  const changed = before.filter((line) => !now.includes(line))
  assert.equal(changed.length, 5, changed.join('\n'))
})

describe('the app besides its locations', () => {
  for (const [name, at] of [
    ['without locations', urlBefore],
    ['with locations', url],
  ] as const) {
    test(`superjson, cookies, uploads and batches work in the app ${name}`, async () => {
      const { trpc } = await signedIn(at, 'Ada')
      const [mine, again] = await Promise.all([trpc.docs.mine.query(), trpc.docs.mine.query()])
      assert.deepEqual(mine, new Set(['budget', 'plan']))
      assert.deepEqual(again, mine)
      const form = new FormData()
      // The file has more bytes than a location may have.
      form.append('file', new File(['x'.repeat(100_000)], 'plan.txt'))
      assert.deepEqual(await trpc.docs.upload.mutate(form), { name: 'plan.txt', bytes: 100_000 })
    })
  }

  test('the app with locations answers errors with the same bytes as the app without', async () => {
    const ask = async (at: string, path: string, init?: RequestInit) => {
      const response = await fetch(`${at}/${path}`, init)
      const { status, headers } = response
      return {
        status,
        type: headers.get('content-type'),
        vary: headers.get('vary'),
        body: stackless(await response.text()),
      }
    }
    const json = { 'content-type': 'application/json' }
    const wrong: [string, RequestInit?][] = [
      ['docs.mine'],
      ['docs.theirs'],
      ['docs.mine,docs.mine,nothing?batch=1'],
      ['signIn', { method: 'POST', headers: json, body: superjson.stringify({ name: '' }) }],
      ['signIn', { method: 'POST', headers: json, body: '{' }],
      ['signIn'],
      ['docs.upload', { method: 'POST', headers: json, body: superjson.stringify({}) }],
    ]
    for (const [path, init] of wrong)
      assert.deepEqual(await ask(url, path, init), await ask(urlBefore, path, init), path)
    const issues = async () => (await ask(url, ...wrong[3]!)).body
    assert.match(await issues(), /"issues":\[\{/)
  })
})
const stackless = (body: string) => body.replaceAll(/"stack":"(\\.|[^"\\])*"/g, '"stack":""')

describe('two location routers in one app', () => {
  test('the memberId comes from the session, and each router has its own locations', async () => {
    const { cookie } = await signedIn(url, 'Ada')
    const headers = { cookie }
    const inSheets = createLocationClient<AppRouter, 'locations'>({
      url,
      path: 'locations',
      transformer: superjson,
      headers,
    })
    const inTexts = createLocationClient<AppRouter, 'docs.locations'>({
      url,
      path: 'docs.locations',
      transformer: superjson,
      headers,
    })
    const [sheet, text] = [inSheets.join('budget'), inTexts.join('plan')]
    sheet.post({ sheet: 'Q3', row: 4, col: 2 })
    text.post({ path: 'intro/p1', anchor: 0, head: 12 })
    // @ts-expect-error: a cell is not a place in a text
    assert.throws(() => text.post({ sheet: 'Q3', row: 4, col: 2 }) ?? assert.fail('types tell'), /types tell/)
    await Promise.all([sheet.flush(), sheet.ready(), text.ready()])
    const [ada] = await sheets.room('budget').members()
    assert.deepEqual([ada?.memberId, ada?.profile], ['ada', { name: 'Ada' }])
    assert.equal(await texts.room('budget').count(), 0)
    await Promise.all([inSheets.close(), inTexts.close()])
  })

  test('a member without access to a document is refused as forbidden', async () => {
    const { cookie } = await signedIn(url, 'Grace')
    const client = createLocationClient<AppRouter, 'locations'>({
      url,
      path: 'locations',
      transformer: superjson,
      headers: { cookie },
    })
    await assert.rejects(client.watch('budget').ready(), { code: 'forbidden' })
    await client.close()
  })

  test('one batch may contain location procedures and other procedures', async () => {
    const { cookie } = await signedIn(url, 'Ada')
    const trpc = createTRPCClient<AppRouter>({
      links: [httpBatchLink({ url, headers: { cookie }, transformer: superjson })],
    })
    const [mine, reply] = await Promise.all([
      trpc.docs.mine.query(),
      trpc.locations.postLocation.mutate({ room: 'plan', location: null }),
    ])
    assert.equal(mine.size, 2)
    assert.equal(reply.memberId, 'ada')
    const refused = trpc.locations.postLocation.mutate({ room: 'plan', location: { sheet: 'Q3', row: -1, col: 2 } })
    await assert.rejects(
      refused,
      (error) => error instanceof TRPCClientError && error.message.startsWith('bad-input: '),
    )
  })
})

const { cookie } = await signedIn(url, 'Editor')
const headers = { cookie }
const timing = { leaseMinMs: 500, leaseMaxMs: 15_000, closedMs: 750, graceMaxMs: 1_000, patienceMs: 10_000 }
const cell = (row: number) => ({ sheet: 'Q3', row, col: 2 })
const sheetTarget = {
  url,
  path: 'locations',
  transformer: superjson,
  headers,
  timing,
  location: cell,
  badLocation: cell(-1),
}

describe('the protocol, at locations', { concurrency: 8 }, () => {
  for (const { name, run } of locationContract(sheetTarget)) test(name, run)
})

const caret = (head: number) => ({ path: 'intro', anchor: 0, head })
const textTarget = { ...sheetTarget, path: 'docs.locations', location: caret, badLocation: caret(-1) }

describe('the protocol, at docs.locations', { concurrency: 8 }, () => {
  for (const { name, run } of locationContract(textTarget)) test(name, run)
})
