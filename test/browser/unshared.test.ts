import { initTRPC } from '@trpc/server'
import express from 'express'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationMiddleware, createLocationRouter } from 'hereabouts/server'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { until } from '../support/until.js'

/* Tabs that must not share a stream, and pages that cannot share one: each has a stream of its own. */

/**
 * Ways to make browser APIs refuse their work, as in a sandboxed frame or when cookies are blocked. They are arrow
 * functions, because Playwright runs the text of a function, and that of a method is a syntax error.
 */
const refusals: Record<string, () => void> = {
  'locks reject': () => {
    LockManager.prototype.request = () => Promise.reject(new DOMException('', 'SecurityError'))
  },
  'locks throw': () => {
    LockManager.prototype.request = () => {
      throw new DOMException('', 'SecurityError')
    }
  },
  'locks never answer': () => {
    LockManager.prototype.request = () => new Promise(() => {})
  },
  'channels throw': () => {
    window.BroadcastChannel = function () {
      throw new DOMException('', 'SecurityError')
    } as never
  },
  'messages cannot be posted': () => {
    BroadcastChannel.prototype.postMessage = () => {
      throw new DOMException('', 'DataCloneError')
    }
  },
  'session storage throws': () => {
    Object.defineProperty(window, 'sessionStorage', {
      get() {
        throw new DOMException('', 'SecurityError')
      },
    })
  },
  'session storage is null': () => Object.defineProperty(window, 'sessionStorage', { value: null }),
  'there is no randomUUID': () => Object.defineProperty(crypto, 'randomUUID', { value: undefined }),
  'there are no resource timings': () => Object.defineProperty(performance, 'getEntriesByType', { value: undefined }),
}

describe.skipIf(!chromiumPath)(
  'pages in Chromium whose streams are not shared (skipped without Chromium)',
  { timeout: 60_000 },
  () => {
    let built: Awaited<ReturnType<typeof builtPage>>
    let server: Awaited<ReturnType<typeof serve>>
    let browser: Browser

    /** Serves two location routers at one URL, where every caller is Ada. */
    async function serve() {
      const t = initTRPC.create()
      const timing = { scale: 1 / 5 }
      const hubs = [1, 2].map(() => createLocationHub({ location: cellLocation, timing }))
      const [docs, boards] = hubs.map((hub) =>
        createLocationRouter({
          hub,
          procedure: t.procedure,
          identify: () => ({ memberId: 'ada', profile: { name: 'Ada' } }),
          authorize: () => true,
        }),
      )
      const app = express()
      app.use(
        '/trpc',
        createLocationMiddleware({ router: t.router({ docs: docs!, boards: boards! }), createContext: () => ({}) }),
      )
      app.use(express.static(built.folder))
      const http = app.listen(0, '127.0.0.1')
      await new Promise((listening) => http.once('listening', listening))
      return {
        origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
        move: (hub: number, memberId: string, row: number) =>
          hubs[hub]!.room('r').post({ memberId, location: { sheet: 'Q3', row, col: 0 } }),
        async close() {
          await Promise.all(hubs.map((hub) => hub.close()))
          http.closeAllConnections()
          http.close()
        },
      }
    }

    beforeAll(async () => {
      built = await builtPage('tab')
      server = await serve()
      browser = await launchChromium()
    }, 60_000)
    afterEach(() => Promise.all(browser.contexts().map((context) => context.close())))
    afterAll(async () => {
      await browser?.close()
      await server?.close()
      await built?.[Symbol.asyncDispose]()
    })

    const enter = async (page: Page, options: { path: string; share?: string }) => {
      await page.goto(server.origin)
      await page.evaluate((options) => window.enter('r', options), options)
    }
    const stateOf = (page: Page) => page.evaluate(() => window.state())
    const isLive = (page: Page) => until('the tab is live', async () => (await stateOf(page)).status === 'live', 15_000)
    const sees = (page: Page, who: string) =>
      until(`the tab sees ${who}`, async () => (await stateOf(page)).others.includes(who), 15_000)

    test.each([
      ['routers', { path: 'docs' }, { path: 'boards' }],
      ['tenants', { path: 'docs', share: 'one' }, { path: 'docs', share: 'two' }],
    ])('the tabs of two %s on one URL share no stream', async (_, first, second) => {
      const context = await browser.newContext()
      let streams = 0
      context.on('request', (request) => void (request.url().includes('onLocation') && streams++))
      await server.move(0, 'Bo', 1)
      await server.move(1, 'Cy', 2)
      const tabs = [await context.newPage(), await context.newPage()]
      await enter(tabs[0]!, first)
      await isLive(tabs[0]!)
      await enter(tabs[1]!, second)
      await isLive(tabs[1]!)
      await sees(tabs[0]!, 'Bo 1')
      await sees(tabs[1]!, second.path === 'boards' ? 'Cy 2' : 'Bo 1')
      if (second.path === 'boards') expect((await stateOf(tabs[1]!)).others).not.toContain('Bo 1')
      expect(streams).toBe(2)
    })

    test.each(Object.entries(refusals))('when %s, a page is live with a stream of its own', async (_, refuse) => {
      const page = await (await browser.newContext()).newPage()
      const uncaught: string[] = []
      let streams = 0
      page.on('pageerror', (error) => uncaught.push(error.message))
      page.on('request', (request) => void (request.url().includes('onLocation') && streams++))
      await page.addInitScript(refuse)
      await enter(page, { path: 'docs' })
      await isLive(page)
      await server.move(0, 'Bo', 3)
      await sees(page, 'Bo 3')
      expect((await stateOf(page)).self).toBe('ada')
      expect({ uncaught, streams }).toEqual({ uncaught: [], streams: 1 })
    })

    test.each([
      ['hang', 0],
      ['are answered 503 by a proxy', 503],
      ['are answered 403 by a proxy', 403],
    ])('when posts %s, a page is live and shows other members within five seconds', async (_, status) => {
      const page = await (await browser.newContext()).newPage()
      await page.route(/postLocation/, async (route) => {
        if (status > 0) await route.fulfill({ status, contentType: 'text/html', body: 'Blocked' })
      })
      await server.move(0, 'Bo', 5)
      await enter(page, { path: 'docs' })
      await until('the page shows Bo', async () => (await stateOf(page)).others.includes('Bo 5'), 5_000)
      expect((await stateOf(page)).status).toBe('live')
    })

    test('when a hanging first post is answered, a page changes from its own stream to the stream of the other tabs', async () => {
      const context = await browser.newContext()
      let streams = 0
      context.on('request', (request) => void (request.url().includes('onLocation') && streams++))
      const first = await context.newPage()
      await enter(first, { path: 'docs' })
      await isLive(first)
      const page = await context.newPage()
      let release = () => {}
      const blocked = new Promise<void>((resolve) => (release = resolve))
      await page.route(/postLocation/, async (route) => {
        await blocked
        await route.continue()
      })
      await enter(page, { path: 'docs' })
      await isLive(page)
      expect([streams, (await stateOf(page)).self]).toEqual([2, null])
      release()
      await until('the page knows its member', async () => (await stateOf(page)).self === 'ada')
      await isLive(page)
      await server.move(0, 'Bo', 6)
      await sees(page, 'Bo 6')
      expect(streams).toBe(2)
    })

    test('when the chunks for shared streams and page code are missing, a page is live and shows other members', async () => {
      const page = await (await browser.newContext()).newPage()
      const missing: string[] = []
      await page.route(/(shared-tab-stream|page-code)-/, (route) => {
        missing.push(route.request().url())
        return route.fulfill({ status: 404, contentType: 'text/html', body: 'Not found' })
      })
      await enter(page, { path: 'docs' })
      await isLive(page)
      await server.move(0, 'Bo', 4)
      await sees(page, 'Bo 4')
      expect(missing.length).toBeGreaterThanOrEqual(2)
    })
  },
)
