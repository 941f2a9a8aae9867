import { cellLocation } from 'hereabouts'
import { createLocationServer, type LocationServer } from 'hereabouts/server/standalone'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import type { CellTypes } from '../support/cell-types.js'

/* Several windows in one room. Reloads, crashes and the like of one window are tested in life.ts. */

describe.skipIf(!chromiumPath)('windows in one room (skipped without Chromium)', { timeout: 20_000 }, () => {
  let built: Awaited<ReturnType<typeof builtPage>>
  let server: LocationServer<CellTypes>
  let url: string
  let browser: Browser
  let rooms = 0

  beforeAll(async () => {
    built = await builtPage('page')
    server = createLocationServer({ location: cellLocation, anonymous: true, static: built.folder })
    ;({ url } = await server.listen(0))
    browser = await launchChromium()
  }, 60_000)

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
  })

  afterAll(async () => {
    await browser?.close()
    await server?.close()
    await built?.[Symbol.asyncDispose]()
  })

  const newRoom = () => `room-${++rooms}`
  const shown = (page: Page) => page.evaluate(() => window.shown())
  const goTo = (page: Page, row: number) => page.evaluate((row) => window.goTo(row), row)
  const others = async (page: Page) => (await shown(page)).others

  async function visit(room: string, name: string, context?: BrowserContext): Promise<Page> {
    const page = await (context ?? (await browser.newContext())).newPage()
    await page.goto(`${url}/?room=${room}&name=${name}`)
    await expect.poll(async () => (await shown(page)).state).toBe('live')
    return page
  }

  test('two windows show each other the locations of their members', async () => {
    const room = newRoom()
    const [ada, bo] = [await visit(room, 'Ada'), await visit(room, 'Bo')]
    await goTo(ada, 4)
    await expect.poll(() => others(bo)).toEqual([{ name: 'Ada', row: 4, windows: 1 }])
    await goTo(bo, 9)
    await expect.poll(() => others(ada)).toEqual([{ name: 'Bo', row: 9, windows: 1 }])
  })

  test('a window that is closed disappears in other windows within four seconds', async () => {
    const room = newRoom()
    const [ada, bo] = [await visit(room, 'Ada'), await visit(room, 'Bo')]
    await expect.poll(() => others(bo)).toHaveLength(1)
    const closedAt = performance.now()
    await ada.close()
    await expect.poll(() => others(bo), { timeout: 4_000, interval: 20 }).toEqual([])
    expect(performance.now() - closedAt).toBeLessThan(4_000)
    expect((await shown(bo)).news).toEqual(['left Ada'])
  })

  test('a window that was offline catches up, and no window shows that a member left', async () => {
    const room = newRoom()
    const context = await browser.newContext()
    const [ada, bo] = [await visit(room, 'Ada', context), await visit(room, 'Bo')]
    await expect.poll(() => others(bo)).toHaveLength(1)
    await context.setOffline(true)
    await goTo(ada, 8)
    await goTo(bo, 6)
    await expect.poll(() => server.hub.room(room).count()).toBe(2)
    await context.setOffline(false)
    await expect.poll(() => others(ada), { timeout: 8_000 }).toEqual([{ name: 'Bo', row: 6, windows: 1 }])
    await expect.poll(async () => (await others(bo))[0]?.row, { timeout: 8_000 }).toBe(8)
    for (const page of [ada, bo])
      expect((await shown(page)).news.filter((line) => !/^(moved|entered)/.test(line))).toEqual([])
  })

  test('windows run no code from a hostile member name', async () => {
    const room = newRoom()
    const bo = await visit(room, 'Bo')
    const hostile = '"><img src=x onerror="window.ran=1">\\u2028</script>'
    const ada = await visit(room, encodeURIComponent(hostile))
    await expect.poll(async () => (await others(bo))[0]?.name).toBe(hostile)
    for (const page of [ada, bo]) expect(await page.evaluate(() => 'ran' in window)).toBe(false)
  })
})
