import { readFileSync } from 'node:fs'
import { initTRPC } from '@trpc/server'
import express, { type RequestHandler } from 'express'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'

/* The faults that keep a page from showing others or from being shown to them, as listed in docs/troubleshooting.md. */

type Scenario = {
  /** The options of the client, in an app whose location router is merged as `locations`. */
  client?: { url?: string; path?: string }
  authorize?: (action: 'read' | 'post' | 'leave') => boolean
  roomConnections?: number
  /** A request handler that runs before the procedures. */
  before?: RequestHandler
}

const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8')
const table = page.split('## Reasons within two seconds')[1]!.split('\n## ')[0]!
const rows = [...table.matchAll(/^\| ([^|]+?) +\| `(\w+)` +\| `([\w-]+): (.+?)` +\|/gm)].map(
  ([, situation = '', state = '', code = '', sentence = '']) => ({ situation, state, code, sentence }),
)

const refusePosts: RequestHandler = (request, response, next) => {
  if (request.method === 'POST') response.status(403).send('<h1>Blocked by your administrator</h1>')
  else next()
}
const scenarios: Record<string, Scenario> = {
  'the URL leads to no tRPC procedures': { client: { url: '/trcp' } },
  'the URL leads to a page of an app': { client: { url: '/app' } },
  'the server is down': { client: { url: 'http://127.0.0.1:9/trpc' } },
  'the server is down behind a proxy': { before: (_, response) => void response.status(502).send('Bad gateway') },
  'the path of a merged router is wrong': { client: { path: 'location' } },
  'the member may not read the room': { authorize: (action) => action === 'post' },
  'the member may not post in the room': { authorize: (action) => action === 'read' },
  'a proxy refuses posts': { before: refusePosts },
  'the room is full': { roomConnections: 1 },
}

describe.skipIf(!chromiumPath)('errors that a page shows (skipped without Chromium)', { timeout: 60_000 }, () => {
  let built: Awaited<ReturnType<typeof builtPage>>
  let browser: Browser
  beforeAll(async () => {
    built = await builtPage('tab')
    browser = await launchChromium()
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await built?.[Symbol.asyncDispose]()
  })

  /** Serves an app that mounts the location router in its own router, as in the README. */
  async function serve({ authorize = () => true, roomConnections = 100, before }: Scenario) {
    const t = initTRPC.create()
    const hub = createLocationHub({ location: cellLocation, limits: { roomConnections } })
    await hub.room('r').post({ memberId: 'Bo', location: { sheet: 'Q3', row: 1, col: 0 } })
    const locations = createLocationRouter({
      hub,
      procedure: t.procedure,
      identify: () => ({ memberId: 'ada' }),
      authorize: ({ action }) => authorize(action),
    })
    const app = express()
    if (before) app.use('/trpc', before)
    app.use('/trpc', createLocationMiddleware({ router: t.router({ locations }), createContext: () => ({}) }))
    app.use(express.static(built.folder))
    app.get('/app/*path', (_, response) => response.sendFile('index.html', { root: built.folder }))
    const http = app.listen(0, '127.0.0.1')
    await new Promise((listening) => http.once('listening', listening))
    return {
      origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
      async [Symbol.asyncDispose]() {
        await hub.close()
        http.closeAllConnections()
        http.close()
      },
    }
  }

  test('the table of docs/troubleshooting.md has a row for each tested situation', () => {
    expect(rows.map(({ situation }) => situation).toSorted()).toEqual(Object.keys(scenarios).toSorted())
  })

  test.each(rows)(
    'when $situation, a page shows the documented state and error within two seconds',
    async ({ situation, state, code, sentence }) => {
      const scenario = scenarios[situation]!
      await using server = await serve(scenario)
      const tab = await (await browser.newContext()).newPage()
      await tab.goto(server.origin)
      await tab.evaluate((options) => window.enter('r', options), { path: 'locations', ...scenario.client })
      const expected = { status: state, error: `${code}: ${sentence}` }
      // The state is polled in the page, because between two attempts it is `connecting` for a moment.
      const isShown = ({ status, error }: typeof expected) => {
        const shown = window.state()
        return shown.status === status && shown.error === error
      }
      await tab.waitForFunction(isShown, expected, { polling: 10, timeout: 2_000 }).catch(async () => {
        expect(await tab.evaluate(() => window.state())).toMatchObject(expected)
      })
      await tab.context().close()
    },
  )
})
