import { createLocationClient } from 'hereabouts/client'
import { cellLocation } from 'hereabouts'
import type { TimingOptions } from 'hereabouts/server'
import { createLocationServer, type LocationServer } from 'hereabouts/server/standalone'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { eagerLocker } from '../support/clients/eager-locker.js'
import { Ends } from '../support/ends.js'
import { tcpProxy } from '../support/network/tcp-proxy.js'
import { until } from '../support/until.js'
import type { LockTypes } from './locks/main.js'

/* A page that holds a place, and the lock of that place when the page is reloaded, cut off, frozen or not used. */

const place = { sheet: 'Q3', row: 1, col: 1 }
/** The time that a slow machine may add to any bound. */
const slackMs = 5_000

/** @param scale scales all times of the server. The bounds are those of docs/PROTOCOL.md, scaled in the same way. */
export function lockLives(title: string, { scale, reloads }: { scale: number; reloads: number }): void {
  const ends = new Ends()
  let folder: string
  let url: string
  let browser: Browser
  let rooms = 0
  const lockMs = 30_000 * scale
  const idleMs = 120_000 * scale

  async function serve(timing: TimingOptions) {
    const server: LocationServer<LockTypes> = createLocationServer({
      location: cellLocation,
      locks: { idleMs },
      anonymous: true,
      static: folder,
      timing: { claimMs: 0, ...timing },
    })
    ends.use({ [Symbol.asyncDispose]: () => server.close() })
    return (await server.listen(0)).url
  }
  const shown = (page: Page) => page.evaluate(() => window.shownLock())

  /** Opens the page, and waits until it holds the place. */
  async function visit(room: string, context: BrowserContext, at = url, more = '') {
    const page = await context.newPage()
    await page.goto(`${at}/?room=${room}${more}`)
    await until('the page has the lock', async () => (await shown(page)).fence !== null)
    return page
  }
  /** Joins another member, who asks for the place all the time. */
  async function rival(room: string) {
    const client = createLocationClient<LocationServer<LockTypes>['router']>({ url: `${url}/trpc` })
    const joined = client.join(room, { profile: { name: 'Bo' } })
    await joined.ready()
    const { gotAt, end } = eagerLocker(joined, place)
    return {
      gotAt,
      async [Symbol.asyncDispose]() {
        await Promise.all([client.close(), end()])
      },
    }
  }

  describe.skipIf(!chromiumPath)(title, { timeout: 60_000 + 400_000 * scale }, () => {
    beforeAll(async () => {
      ;({ folder } = ends.use(await builtPage('locks')))
      // The grace period is not scaled, because a reload takes the same time at each scale.
      url = await serve({ scale, graceMaxMs: 3_000, leaseMinMs: 100 })
      browser = await launchChromium()
      ends.use({ [Symbol.asyncDispose]: () => browser.close() })
    }, 60_000)
    afterAll(() => ends.end())

    test('a reload of a page keeps its lock, with a higher fence each time', async () => {
      const room = `r${++rooms}`
      const page = await visit(room, await browser.newContext())
      await using bo = await rival(room)
      let { fence } = await shown(page)
      for (let times = 0; times < reloads; times++) {
        await page.reload()
        await until('the page has the lock again', async () => (await shown(page)).fence !== null)
        const now = (await shown(page)).fence!
        expect(now).toBeGreaterThan(fence!)
        fence = now
      }
      expect(bo.gotAt).toEqual([])
      await page.context().close()
    })

    test('a page without a network frees its lock within 35 s (unscaled), and knows by its own clock before another member gets it', async () => {
      const room = `r${++rooms}`
      await using line = await tcpProxy(Number(new URL(url).port))
      const page = await visit(room, await browser.newContext(), `http://127.0.0.1:${line.port}`)
      await using bo = await rival(room)
      const cutAt = Date.now()
      line.freeze()
      await until('another gets the place', () => bo.gotAt.length > 0, lockMs + 5_000 * scale + slackMs)
      expect(bo.gotAt[0]! - cutAt).toBeLessThan(lockMs + 5_000 * scale + slackMs)
      const { lostAt, fence } = await shown(page)
      expect(fence).toBe(null)
      // Both times are readings of the clock of this machine.
      expect(lostAt! - bo.gotAt[0]!).toBeLessThan(250)
      await page.context().close()
    })

    test('a page that is frozen, as by a closed laptop, frees its lock within 35 s (unscaled), and knows when it wakes up', async () => {
      const room = `r${++rooms}`
      await using line = await tcpProxy(Number(new URL(url).port))
      const page = await visit(room, await browser.newContext(), `http://127.0.0.1:${line.port}`)
      await using bo = await rival(room)
      const session = await page.context().newCDPSession(page)
      await session.send('Page.setWebLifecycleState', { state: 'frozen' })
      line.freeze()
      await until('another gets the place', () => bo.gotAt.length > 0, lockMs + 5_000 * scale + slackMs)
      await session.send('Page.setWebLifecycleState', { state: 'active' })
      await until('the page knows', async () => (await shown(page)).fence === null, slackMs)
      await page.context().close()
    })

    test('a page that nobody uses releases its lock after the `idleMs` of locks', async () => {
      const room = `r${++rooms}`
      // A client is idle after a minute without input, by default.
      const page = await visit(room, await browser.newContext(), url, `&idleMs=${60_000 * scale}`)
      await using bo = await rival(room)
      const inUse = 60_000 * scale + idleMs
      await until('another gets the place', () => bo.gotAt.length > 0, inUse + slackMs)
      const { lostAt, askedForMs, state } = await shown(page)
      expect(state).toBe('live')
      expect(lostAt).not.toBe(null)
      expect(askedForMs).toBeGreaterThan(inUse - 1_000 * scale)
      await page.context().close()
    })
  })
}
