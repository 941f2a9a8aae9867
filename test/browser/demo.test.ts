import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { serveDemo, type Demo } from '../support/servers/demo.js'

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
type AxeResults = { violations: { id: string; nodes: { html: string }[] }[] }

/** Replaces each text node by elements, without React, as the translation of Chrome does. */
function translate() {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const found: Text[] = []
  while (texts.nextNode()) found.push(texts.currentNode as Text)
  for (const text of found) {
    if (!text.data.trim() || text.parentElement!.closest('script, style, [translate=no]')) continue
    const font = document.createElement('font')
    font.append(document.createElement('font'))
    font.firstElementChild!.textContent = text.data
    text.replaceWith(font)
  }
}

const desktop = { viewport: { width: 1280, height: 800 } }
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

describe.skipIf(!chromiumPath)('the demo in Chromium (skipped without Chromium)', { timeout: 20_000 }, () => {
  let demo: Demo
  let url: string
  let server: Demo['server']
  let browser: Browser
  /** The errors of the pages, and the violations of their content security policy. */
  const complaints: string[] = []
  let rooms = 0

  beforeAll(async () => {
    demo = await serveDemo()
    ;({ url, server } = demo)
    browser = await launchChromium()
  }, 60_000)

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    const found = complaints.splice(0)
    expect(found).toEqual([])
  })

  afterAll(async () => {
    await browser?.close()
    await demo?.close()
  })

  const newRoom = () => `room-${++rooms}`
  const hubRoom = (room: string) => server.hub.room(room)

  async function open(room: string, name: string, options: BrowserContextOptions = desktop): Promise<Page> {
    const context = await browser.newContext(options)
    await context.addInitScript((name) => {
      localStorage.setItem('hereabouts.profile', JSON.stringify({ name }))
      localStorage.setItem('hereabouts.log', 'true')
    }, name)
    const page = await context.newPage()
    page.setDefaultTimeout(8_000)
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('dialog', (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(`${url}/?room=${room}`)
    await page.locator('.status[data-state=live]').waitFor()
    return page
  }
  const nameBox = (page: Page) => page.getByRole('textbox', { name: 'Go to a cell' })
  const goTo = async (page: Page, cells: string) => {
    await nameBox(page).fill(cells)
    await nameBox(page).press('Enter')
  }
  /** Waits until the log of a page says where a member is. */
  const sees = (page: Page, name: string, place: string) =>
    page
      .locator('.line-text', { hasText: name })
      .filter({ hasText: new RegExp(`${place}$`) })
      .first()
      .waitFor()
  const avatarOf = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
  const flagOf = (page: Page, name: string) => page.locator('.flag', { hasText: name })
  const chosen = (page: Page) => page.locator('[role=gridcell][aria-selected=true]')

  test('the demo loads under a content security policy that forbids inline code, and shows that it is live', async () => {
    const response = await fetch(url)
    const policy = response.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'self'")
    expect(policy).not.toContain('unsafe')
    const page = await open(newRoom(), 'Ada')
    expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('201')
    expect(await page.getByRole('button', { name: 'Reset the sheet' }).isVisible()).toBe(true)
    // The policy blocks inline code. This violation is expected.
    await page.evaluate(() =>
      document.body.insertAdjacentHTML('beforeend', '<img src="/none" onerror="window.ran = 1">'),
    )
    await expect.poll(() => complaints.some((text) => text.includes('Content Security Policy'))).toBe(true)
    expect(await page.evaluate(() => 'ran' in window)).toBe(false)
    await expect.poll(() => complaints.splice(0).length).toBe(0)
  })

  test("two windows of the demo show each other's moves", async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    await flagOf(ada, 'Bo').waitFor({ state: 'attached' })
    await goTo(ada, 'C8')
    await sees(bo, 'Ada', 'Plan!C8')
    await goTo(bo, 'D10:E12')
    await sees(ada, 'Bo', 'Plan!D10:E12')
    await ada.locator('.line', { hasText: 'to Plan!D10:E12' }).waitFor()
    expect(await ada.locator('.line', { hasText: 'D10:E12' }).locator('.latency').innerText()).toMatch(/^\d+ ms$/)
    const cursor = (await ada.locator('.cursor', { has: flagOf(ada, 'Bo') }).boundingBox())!
    const corner = (await ada.locator('#cell-9-3').boundingBox())!
    await expect.poll(async () => Math.abs((await ada.locator('.cursor').boundingBox())!.x - corner.x)).toBeLessThan(2)
    expect(cursor.height).toBeGreaterThan(corner.height)
  })

  test('the demo still shows members correctly after the browser has translated the page', async () => {
    const room = newRoom()
    const page = await open(room, 'Ada')
    await goTo(page, 'B5')
    const post = (memberId: string, row: number) =>
      hubRoom(room).post({ memberId, profile: { name: memberId }, location: { sheet: 'Plan', row, col: 1 } })
    await post('bo', 4)
    await post('cy', 4)
    await expect.poll(() => page.locator('.company').innerText()).toBe('with bo and 1 more')
    await page.evaluate(translate)
    for (const row of [9, 4, 9]) await post('cy', row)
    await expect.poll(() => page.locator('.company').innerText()).toBe('with bo')
    await hubRoom(room).leave({ memberId: 'bo' })
    await expect.poll(() => page.locator('.company').count()).toBe(0)
    await post('bo', 4)
    await expect.poll(() => page.locator('.company').innerText()).toBe('with bo')
    await page.getByRole('tab', { name: 'Budget' }).click()
    await page.getByRole('button', { name: 'Live log' }).click()
    expect(await page.locator('main').count()).toBe(1)
  })

  test('the demo shows the outlines of our own cell and of others in forced colours', async () => {
    const room = newRoom()
    const page = await open(room, 'Ada', { ...desktop, forcedColors: 'active' })
    await hubRoom(room).post({ memberId: 'bo', profile: { name: 'Bo' }, location: { sheet: 'Plan', row: 4, col: 1 } })
    await page.locator('.outline').waitFor({ state: 'attached' })
    const styleOf = (selector: string, property: string) =>
      page.evaluate(
        ([selector, property]) => getComputedStyle(document.querySelector(selector!)!).getPropertyValue(property!),
        [selector, property],
      )
    expect(await styleOf('.selection', 'outline-style')).toBe('solid')
    expect(await styleOf('.outline', 'border-top-style')).toBe('solid')
    expect(await styleOf('.outline', 'forced-color-adjust')).toBe('none')
  })

  test.each([
    ['on a desktop', desktop],
    ['on a phone', phone],
    ['in the dark', { ...desktop, colorScheme: 'dark' as const }],
  ])('axe finds no accessibility fault in the demo %s', { timeout: 60_000 }, async (_, options) => {
    const room = newRoom()
    const page = await open(room, 'Ada', { ...options, bypassCSP: true })
    for (const [i, name] of ['Bo Li', 'Cy', 'Juno'].entries())
      await hubRoom(room).post({
        memberId: name,
        profile: { name, ...(name === 'Juno' && { bot: true }) },
        location: { sheet: 'Plan', row: 4 + 5 * i, col: 0 },
      })
    await flagOf(page, 'Juno').waitFor({ state: 'attached' })
    await page.addStyleTag({
      content: '*, *::before, *::after { transition: none !important; animation: none !important }',
    })
    await page.addScriptTag({ path: axePath })
    const list = options === phone ? [/show all 3 people/] : []
    for (const button of [null, ...list, 'React', 'Reset the sheet', 'Share this room', 'Edit this cell', /^You are/]) {
      if (button) await page.getByRole('button', { name: button }).click()
      const found = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(context: Document, options: object): Promise<AxeResults> } }
        const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice', 'experimental']
        const { violations } = await axe.run(document, { runOnly: tags })
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
      })
      expect(found).toEqual([])
      if (button) await page.keyboard.press('Escape')
    }
  })

  test('a reload of the demo returns to the same cell, and other members see no event', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    await goTo(bo, 'H20')
    await goTo(ada, 'B7')
    await sees(bo, 'Ada', 'Plan!B7')
    await ada.reload()
    await ada.locator('.status[data-state=live]').waitFor()
    expect(await nameBox(ada).inputValue()).toBe('B7')
    await goTo(ada, 'B9')
    await sees(bo, 'Ada', 'Plan!B9')
    expect(await bo.locator('.line.is-left, .line.is-entered').count()).toBe(0)
  })

  test('keyboard and pointer select cells and ranges in the demo', async () => {
    const page = await open(newRoom(), 'Ada')
    await goTo(page, 'A4')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Shift+ArrowDown')
    await page.keyboard.press('Shift+ArrowRight')
    expect(await nameBox(page).inputValue()).toBe('B4:C5')
    expect(await chosen(page).count()).toBe(4)
    await page.keyboard.press('Control+End')
    expect(await nameBox(page).inputValue()).toBe('I31')
    await expect.poll(() => page.getByRole('grid').getAttribute('aria-activedescendant')).toBe('cell-30-8')
    await page.keyboard.press('Control+Home')
    await page.keyboard.press('Control+PageDown')
    expect(await page.getByRole('tab', { selected: true }).innerText()).toBe('Budget')
    await page.mouse.move(...(await middle(page, '#cell-5-1')))
    await page.mouse.down()
    await page.mouse.move(...(await middle(page, '#cell-8-3')), { steps: 4 })
    await page.mouse.up()
    expect(await nameBox(page).inputValue()).toBe('B6:D9')
    await page.getByText('Sum 2', { exact: false }).waitFor()
    // Tab moves within the sheet. Escape leaves it.
    await page.keyboard.press('Tab')
    expect(await nameBox(page).inputValue()).toBe('C6')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).not.toBe('grid')
  })

  test('sheet tabs of the demo count the members, and a click on an avatar jumps to the member', async () => {
    const room = newRoom()
    const page = await open(room, 'Ada')
    await hubRoom(room).post({
      memberId: 'juno',
      profile: { name: 'Juno', bot: true },
      location: { sheet: 'Q3', row: 60, col: 9 },
    })
    await hubRoom(room).post({ memberId: 'otto', profile: { name: 'Otto' }, location: { sheet: 'Q3', row: 4, col: 2 } })
    // Members may post any location by the command line: an unknown sheet, or a row that does not exist.
    await hubRoom(room).post({
      memberId: 'lost',
      profile: { name: 'Lost' },
      location: { sheet: 'Nowhere', row: 4, col: 2 },
    })
    await hubRoom(room).post({
      memberId: 'deep',
      profile: { name: 'Deep' },
      location: { sheet: 'Q3', row: 1_000_000, col: 2 },
    })
    await page.getByRole('tab', { name: /^Q3 ?, 3 others$/ }).waitFor()
    expect(await page.locator('.cursor').count()).toBe(0)
    await avatarOf(page, 'Juno').click()
    expect(await nameBox(page).inputValue()).toBe('J61')
    await flagOf(page, 'Juno').waitFor()
    expect(await page.getByText('with Juno').isVisible()).toBe(true)
    expect(await page.locator('.cursor').count()).toBe(2)
    await avatarOf(page, 'Lost').click()
    expect(await nameBox(page).inputValue()).toBe('J61')
  })

  test('a name that is changed in the demo is stored and shown to other members', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    await ada.getByRole('button', { name: 'You are Ada' }).click()
    await ada.getByRole('textbox', { name: 'Name' }).fill('Ada Byron')
    await ada.getByRole('button', { name: 'Done' }).click()
    await avatarOf(bo, 'Ada Byron').waitFor()
    const stored = await ada.evaluate(() => localStorage.getItem('hereabouts.profile'))
    expect(JSON.parse(stored!)).toEqual({ name: 'Ada Byron' })
  })

  test('the demo is no wider than a phone, also with open drawers', async () => {
    const room = newRoom()
    const page = await open(room, 'Ada', phone)
    // Our first cell is chosen at random, here far away, but the view must begin at the corner of the sheet.
    await page.addInitScript((room) => {
      Math.random = () => 0.999
      sessionStorage.removeItem(`hereabouts.place.${room}`)
    }, room)
    await page.reload()
    await page.locator('.status[data-state=live]').waitFor()
    expect(await page.locator('.sheet').evaluate(({ scrollLeft, scrollTop }) => scrollLeft + scrollTop)).toBe(0)
    await goTo(page, 'A4')
    await hubRoom(room).post({
      memberId: 'o',
      profile: { name: 'A name as long as people have them, and then some' },
      location: { sheet: 'Plan', row: 4, col: 1 },
    })
    await flagOf(page, 'A name').waitFor({ state: 'attached' })
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    expect(await overflow()).toBeLessThanOrEqual(0)
    await page.getByRole('button', { name: 'Live log' }).tap()
    await page.getByRole('complementary', { name: 'Live log' }).waitFor()
    expect(await overflow()).toBeLessThanOrEqual(0)
    await page.getByRole('button', { name: 'Close the log' }).tap()
    await page.getByRole('button', { name: /^A name/ }).tap()
    expect(await nameBox(page).inputValue()).toBe('B5')
    await page.locator('#cell-6-0').tap()
    expect(await nameBox(page).inputValue()).toBe('A7')
    expect(await overflow()).toBeLessThanOrEqual(0)
  })

  test('the demo shows that the connection is lost and the time until the next attempt', async () => {
    const page = await open(newRoom(), 'Ada')
    // The browser logs failed requests to the console: they are expected here.
    page.removeAllListeners('console')
    await page.route('**/trpc/**', (route) => route.abort())
    await server.hub.drain()
    await page.getByRole('status').filter({ hasText: 'Connection lost.' }).waitFor()
    await page.getByText(/Trying again in \d+ s/).waitFor()
    await page.getByRole('button', { name: 'Retry now' }).click()
  })
})

async function middle(page: Page, selector: string): Promise<[number, number]> {
  const { x, y, width, height } = (await page.locator(selector).boundingBox())!
  return [x + width / 2, y + height / 2]
}
