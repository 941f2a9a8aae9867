import { setTimeout as passing } from 'node:timers/promises'
import { cellLocation } from 'hereabouts'
import type { TimingOptions } from 'hereabouts/server'
import { createLocationServer, type LocationServer } from 'hereabouts/server/standalone'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { Ends } from '../support/ends.js'
import { tabList } from '../support/browser/hidden-tab.js'
import { tcpProxy } from '../support/network/tcp-proxy.js'
import { until } from '../support/until.js'
import { witnessesOf, type Witnesses } from '../support/browser/witnesses.js'
import type { Shown } from './page/main.js'
import type { CellTypes } from '../support/cell-types.js'

/*
 * Actions of users on a page, which must have no effect on the other members of the room while the user is present. The
 * other members are three clients in Node without network faults. A false leave is a `left` event for a present member.
 * A ghost is a connection that is still shown after the time by which it has to be removed.
 */
export type Amounts = {
  reloads: number
  duplicates: number
  returns: number
  crashes: number
  /** The time in milliseconds of each interruption of the network. */
  offlineMs: number[]
  hiddenMs: number
  timing: TimingOptions
  /** The timing of the server of the hidden page, which is hidden for several leases. */
  hiddenTiming: TimingOptions
  /** Prints the progress, and a table at the end. */
  talks: boolean
}

type Finding = { what: string; times: string; falseLeaves: number; ghosts: number; note: string }

const graceMs = 3_000
const name = 'Ada'

export function lives(title: string, amounts: Amounts): void {
  const ends = new Ends()
  const findings: Finding[] = []
  let folder: string
  let url: string
  let browser: Browser
  let rooms = 0

  const leaseMs = 30_000 * (amounts.timing.scale ?? 1)
  const serve = async (own: TimingOptions) => {
    const server: LocationServer<CellTypes> = createLocationServer({
      location: cellLocation,
      anonymous: true,
      static: folder,
      timing: own,
    })
    ends.use({ [Symbol.asyncDispose]: () => server.close() })
    return (await server.listen(0)).url
  }

  async function setUp() {
    const page = ends.use(await builtPage('page'))
    folder = page.folder
    url = await serve(amounts.timing)
    // Playwright disables the back/forward cache by default.
    browser = await launchChromium({ ignoreDefaultArgs: ['--disable-back-forward-cache'] })
    ends.use({ [Symbol.asyncDispose]: () => browser.close() })
  }

  const say = (text: string) => amounts.talks && console.log(text)
  const newRoom = () => `life-${++rooms}`
  const shown = (page: Page) => page.evaluate(() => window.shown())
  const isLive = (page: Page) => until('the page is live', async () => (await shown(page)).state === 'live')
  const boIn = ({ others }: Shown) => others.find(({ name }) => name === 'Bo')
  async function visit(room: string, context: BrowserContext, at = url): Promise<Page> {
    const page = await context.newPage()
    await page.goto(`${at}/?room=${room}&name=${name}`)
    await isLive(page)
    return page
  }
  /** `window.open` copies the session storage, like "duplicate tab" does. */
  async function duplicate(page: Page): Promise<Page> {
    const [twin] = await Promise.all([page.waitForEvent('popup'), page.evaluate(() => void window.open(location.href))])
    await twin.waitForLoadState()
    await isLive(twin)
    return twin
  }

  const witnesses = (room: string, at = url) => witnessesOf(`${at}/trpc`, room, name)

  /** Waits until the page is up to date and the others see its moves. */
  async function agree(page: Page, others: Witnesses, own: number, withinMs = 20_000) {
    const row = await others.move()
    await until(`Bo is seen at ${row}`, async () => boIn(await shown(page))?.row === row, withinMs)
    await page.evaluate((row) => window.goTo(row), own)
    await until(`the page is seen at ${own}`, () => others.places().every((place) => place === own), withinMs)
  }
  /** The number of `left` events for Bo, who never left. */
  const toldOfBo = async (pages: Page[]) =>
    (await Promise.all(pages.map(shown))).flatMap(({ news }) => news.filter((line) => /^(left|lost) /.test(line)))
      .length

  const lifeOf = {
    async reloaded(): Promise<Finding> {
      const room = newRoom()
      const page = await visit(room, await browser.newContext())
      await using others = await witnesses(room)
      for (let times = 1; times <= amounts.reloads; times++) {
        await page.reload()
        // Every third reload comes before the previous one has completed.
        if (times % 3 !== 0) await isLive(page)
        if (times % 10 === 0) say(`reloaded ${times} times of ${amounts.reloads}`)
      }
      await isLive(page)
      await agree(page, others, 700)
      const ghosts = await others.ghosts(1, graceMs)
      await page.context().close()
      return { what: 'reload', times: `${amounts.reloads}`, falseLeaves: others.leaves.length, ghosts, note: '' }
    },

    async duplicated(): Promise<Finding> {
      const room = newRoom()
      const context = await browser.newContext()
      const pages = [await visit(room, context)]
      await using others = await witnesses(room)
      let most = 1
      for (let times = 1; times <= amounts.duplicates; times++) {
        pages.push(await duplicate(pages.at(-1)!))
        await until('the others see the twin', () => others.windows().every((windows) => windows >= pages.length))
        most = Math.max(most, pages.length)
        // The oldest tab is closed, so that none of the first tabs is left at the end.
        if (pages.length > 4) await pages.shift()!.close()
        if (times % 5 === 0) say(`duplicated ${times} times of ${amounts.duplicates}`)
      }
      for (const page of pages) await agree(page, others, 700 + pages.indexOf(page))
      const tooMany = await others.ghosts(pages.length, graceMs)
      const falseLeaves = await toldOfBo(pages)
      while (pages.length > 1) await pages.shift()!.close()
      await agree(pages[0]!, others, 800)
      const ghosts = tooMany + (await others.ghosts(1, graceMs))
      const note = `${most} at once, one person`
      const times = `${amounts.duplicates}`
      const found = { what: 'duplicate tab', times, falseLeaves: falseLeaves + others.leaves.length, ghosts, note }
      await context.close()
      return found
    },

    async returned(): Promise<Finding> {
      const room = newRoom()
      const page = await visit(room, await browser.newContext())
      await using others = await witnesses(room)
      for (let times = 1; times <= amounts.returns; times++) {
        if (times === 1) await page.goto(`${url}/elsewhere`)
        else await page.evaluate(() => history.forward())
        await page.waitForURL('**/elsewhere', { waitUntil: 'commit' })
        await page.evaluate(() => history.back())
        // Waits for the commit, because a page from the back/forward cache does not fire `load` again.
        await page.waitForURL('**/?room=*', { waitUntil: 'commit' })
        const cached = async () => (await shown(page)).restored === times
        await until('the very page is back', () => cached().catch(() => false))
        await agree(page, others, 700 + times)
        if (times % 5 === 0) say(`gone back and forward ${times} times of ${amounts.returns}`)
      }
      const ghosts = await others.ghosts(1, graceMs)
      const { restored } = await shown(page)
      const falseLeaves = others.leaves.length + (await toldOfBo([page]))
      await page.context().close()
      const note = `${restored} from the back/forward cache`
      return { what: 'back/forward', times: `${amounts.returns}`, falseLeaves, ghosts, note }
    },

    async offline(): Promise<Finding> {
      const room = newRoom()
      const context = await browser.newContext()
      // Offline mode keeps open connections alive, so the proxy stops passing data too.
      await using line = await tcpProxy(Number(new URL(url).port))
      const page = await visit(room, context, `http://127.0.0.1:${line.port}`)
      await using others = await witnesses(room)
      let falseLeaves = 0
      const notes: string[] = []
      for (const [nth, ms] of amounts.offlineMs.entries()) {
        await agree(page, others, 600 + nth)
        others.leaves.length = 0
        const offlineAt = performance.now()
        line.freeze()
        await context.setOffline(true)
        const row = await others.move()
        await page.evaluate((row) => window.goTo(row), 700 + nth)
        await passing(ms)
        expect(boIn(await shown(page))?.row, 'it is offline').not.toBe(row)
        const lostBefore = others.leaves.length > 0
        // Every second time, the page returns in another network, in which the open connections are dead.
        if (nth % 2) line.cut()
        line.thaw()
        await context.setOffline(false)
        const backAt = performance.now()
        await until('the page sees Bo', async () => boIn(await shown(page))?.row === row)
        await until('the others see the page', () => others.places().every((place) => place === 700 + nth))
        const tookMs = Math.round(performance.now() - backAt)
        // A silent member is kept for one lease after its last post, and then really leaves.
        const keptMs = leaseMs - 1_000
        falseLeaves += others.leaves.filter(({ at }) => at < offlineAt + keptMs).length + (await toldOfBo([page]))
        if (!lostBefore) falseLeaves += others.leaves.length
        const [loss] = others.leaves
        const gone = loss ? `gone after ${Math.round(loss.at - offlineAt)} ms` : 'never gone'
        notes.push(`${ms / 1000} s: ${gone}, all true again in ${tookMs} ms`)
      }
      const ghosts = await others.ghosts(1, graceMs)
      await context.close()
      const times = amounts.offlineMs.map((ms) => `${ms / 1000} s`).join(', ')
      return { what: 'offline', times, falseLeaves, ghosts, note: notes.join('; ') }
    },

    async crashed(): Promise<Finding> {
      let falseLeaves = 0
      let ghosts = 0
      const notes: string[] = []
      for (let times = 1; times <= amounts.crashes; times++) {
        const room = newRoom()
        const context = await browser.newContext()
        // All windows are one member, as after "duplicate tab". They are opened separately: a window and its opener
        // would crash together.
        await context.addInitScript(() => sessionStorage.setItem('hereabouts:member', 'one-person-in-all-tabs'))
        const streams: Page[] = []
        context.on('request', (request) => {
          if (request.url().includes('onLocation')) streams.push(request.frame().page())
        })
        const pages: Page[] = []
        while (pages.length < 3) pages.push(await visit(room, context))
        await using others = await witnesses(room)
        for (const page of pages) await agree(page, others, 700 + pages.indexOf(page))
        await until('the others see three windows', () => others.windows().every((windows) => windows === 3))
        const leader = streams.at(-1)!
        const rest = pages.filter((page) => page !== leader)
        const cdp = await context.newCDPSession(leader)
        const crashedAt = performance.now()
        void cdp.send('Page.crash').catch(() => {})
        const row = await others.move()
        const sees = async (page: Page) => boIn(await shown(page))?.row === row
        await Promise.all(rest.map((page) => until('the next one leads', () => sees(page))))
        const tookMs = Math.round(performance.now() - crashedAt)
        ghosts += await others.ghosts(2, leaseMs + 5_000)
        notes.push(`seen on by the rest after ${tookMs} ms, gone after ${Math.round(performance.now() - crashedAt)} ms`)
        for (const page of rest) await agree(page, others, 800 + rest.indexOf(page))
        falseLeaves += others.leaves.length + (await toldOfBo(rest))
        await context.close()
      }
      return { what: 'leader crash', times: `${amounts.crashes}`, falseLeaves, ghosts, note: notes.join('; ') }
    },

    async hidden(): Promise<Finding> {
      const room = newRoom()
      const at = await serve(amounts.hiddenTiming)
      await using tabs = await tabList()
      await using others = await witnesses(room, at)
      const tab = await tabs.open(`${at}/?room=${room}&name=${name}&tell`)
      const told = async () => {
        const title = (await tabs.title(tab)).replaceAll('&quot;', '"')
        return (title.startsWith('{') ? JSON.parse(title) : { others: [], news: [] }) as Shown
      }
      await until('the page is there', () => others.windows().every((windows) => windows === 1))
      const front = await tabs.open('about:blank')
      await tabs.activate(front)
      await until('the others see it away', () => others.activities().every((activity) => activity === 'away'))
      const hiddenAt = performance.now()
      let slowest = 0
      let throttled = Infinity
      while (performance.now() - hiddenAt < amounts.hiddenMs) {
        const row = await others.move()
        const movedAt = performance.now()
        await until('the hidden page sees Bo', async () => boIn(await told())?.row === row)
        slowest = Math.max(slowest, performance.now() - movedAt)
        const { visibility, ticks, state } = await told()
        expect([visibility, state]).toEqual(['hidden', 'live'])
        throttled = Math.min(throttled, ticks)
        expect(others.windows()).toEqual([1, 1, 1])
        await passing(Math.min(1_000, amounts.hiddenMs / 10))
        if (Math.round((performance.now() - hiddenAt) / 1000) % 30 === 0)
          say(`hidden for ${Math.round((performance.now() - hiddenAt) / 1000)} s`)
      }
      // Throttled timers show that the page was really hidden.
      expect(throttled).toBeLessThanOrEqual(2)
      await tabs.activate(tab)
      await until('the others see it active', () => others.activities().every((activity) => activity === 'active'))
      const ghosts = await others.ghosts(1, 0)
      const { news } = await told()
      const falseLeaves = others.leaves.length + news.filter((line) => /^(left|lost) /.test(line)).length
      const note = `timers at ${throttled}/s, slowest move seen after ${Math.round(slowest)} ms`
      return { what: 'hidden tab', times: `${amounts.hiddenMs / 1000} s`, falseLeaves, ghosts, note }
    },
  }

  describe.skipIf(!chromiumPath)(`${title} (skipped where there is no Chromium)`, { timeout: 480_000 }, () => {
    beforeAll(setUp, 60_000)
    afterAll(async () => {
      await ends.end()
      if (amounts.talks) console.table(findings)
    })

    test.concurrent.each(Object.entries(lifeOf))('a page that is %s has no false leave or ghost', async (_, live) => {
      const found = await live()
      findings.push(found)
      expect(found).toMatchObject({ falseLeaves: 0, ghosts: 0 })
    })
  })
}
