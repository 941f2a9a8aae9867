import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { serveDemo, type Demo } from '../support/servers/demo.js'

const desktop = { viewport: { width: 1280, height: 800 } }
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

/** A time limit for a machine that runs many tests at once. */
const soon = { timeout: 8_000 }

/** The cell that the tests edit: `Sign lease for Dock Street 14`, in the first task of the plan. */
const a5 = { sheet: 'Plan', row: 4, col: 0 }
const firstText = 'Sign lease for Dock Street 14'

describe.skipIf(!chromiumPath)('editing in the demo (skipped without Chromium)', { timeout: 30_000 }, () => {
  let demo: Demo
  let browser: Browser
  const complaints: string[] = []
  let rooms = 0

  beforeAll(async () => {
    demo = await serveDemo()
    browser = await launchChromium()
  }, 60_000)
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    expect(complaints.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await demo?.close()
  })

  const newRoom = () => `edit-${++rooms}`
  async function open(room: string, name: string, options: BrowserContextOptions = desktop): Promise<Page> {
    const context = await browser.newContext(options)
    await context.addInitScript((name) => localStorage.setItem('hereabouts.profile', JSON.stringify({ name })), name)
    const page = await context.newPage()
    page.setDefaultTimeout(8_000)
    page.on('pageerror', (error) => complaints.push(error.message))
    // Ignores failed requests: a test causes a refused save, which the browser logs as one.
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text())
    })
    await page.goto(`${demo.url}/?room=${room}`)
    await page.locator('.status[data-state=live]').waitFor()
    return page
  }
  const goTo = async (page: Page, cells: string) => {
    const box = page.getByRole('textbox', { name: 'Go to a cell' })
    await box.fill(cells)
    await box.press('Enter')
  }
  const nameBox = (page: Page) => page.getByRole('textbox', { name: 'Go to a cell' }).inputValue()
  const editor = (page: Page) => page.getByRole('textbox', { name: 'Text of Plan!A5' })
  const shown = (page: Page) => page.locator('#cell-4-0').innerText()
  const badge = (page: Page) => page.locator('.cursor .hb-editing')
  const problem = (page: Page) => page.getByRole('alert').filter({ hasText: 'was not saved' })

  test('while one page edits a cell, another page shows the editor and is read-only, and then shows the saved text', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    await goTo(bo, 'C8')
    await ada.locator('#cell-4-0').dblclick()
    await badge(bo).filter({ hasText: 'Ada is editing' }).waitFor()
    await editor(ada).fill('Sign the new lease')
    await badge(bo).filter({ hasText: 'Ada is typing …' }).waitFor()
    await bo.locator('#cell-4-0').dblclick()
    await editor(bo).waitFor()
    expect(await editor(bo).ariaSnapshot()).toContain('textbox "Text of Plan!A5"')
    await expect.poll(() => editor(bo).evaluate((input: HTMLInputElement) => input.readOnly), soon).toBe(true)
    const description = () =>
      editor(bo).evaluate((input) => document.getElementById(input.getAttribute('aria-describedby')!)?.textContent)
    expect(await description()).toBe('Ada is editing this cell')
    await bo.keyboard.type('mine')
    expect(await editor(bo).inputValue()).toBe(firstText)
    await editor(ada).press('Enter')
    expect(await nameBox(ada)).toBe('A6')
    expect(await shown(ada)).toBe('Sign the new lease')
    // The cell is free again, so the other page may write now.
    await expect.poll(() => editor(bo).evaluate((input: HTMLInputElement) => input.readOnly), soon).toBe(false)
    expect(await editor(bo).inputValue()).toBe('Sign the new lease')
    await editor(bo).press('Escape')
    await expect.poll(() => shown(bo), soon).toBe('Sign the new lease')
    await badge(ada).waitFor({ state: 'detached' })
  })

  test('a reset of the demo sheet restores the first values on all pages', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    await goTo(ada, 'A5')
    await ada.keyboard.type('New')
    await ada.keyboard.press('Enter')
    const bo = await open(room, 'Bo')
    await expect.poll(() => shown(bo), soon).toBe('New')
    await bo.getByRole('button', { name: 'Reset the sheet' }).click()
    await bo.getByText('Everybody in this room edits the same cells.').waitFor()
    await bo.getByRole('button', { name: 'Reset it for everybody' }).click()
    await expect.poll(() => shown(ada), soon).toBe(firstText)
    expect(await shown(bo)).toBe(firstText)
  })

  test('a save after the lock was lost is refused with an explanation, and the typed text is kept', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    await goTo(ada, 'A5')
    await ada.keyboard.press('F2')
    await editor(ada).fill('Too late')
    await expect.poll(() => demo.server.hub.room(room).unlock(a5), soon).toBe(true)
    await ada.getByRole('alert').filter({ hasText: 'Your turn on this cell is over.' }).waitFor()
    await editor(ada).press('Enter')
    await problem(ada).waitFor()
    expect(await problem(ada).innerText()).toContain(
      'Plan!A5 was not saved. Your turn to edit this cell is over, so it was not saved.',
    )
    expect(await shown(ada)).toBe(firstText)
    await ada.getByRole('button', { name: 'Edit again' }).click()
    expect(await editor(ada).inputValue()).toBe('Too late')
    await editor(ada).press('Enter')
    await expect
      .poll(async () => (await demo.server.router.createCaller({}).cells({ room })).cells.length, soon)
      .toBe(1)
    expect(await shown(ada)).toBe('Too late')
  })

  test('a cell that cannot be locked shows an alert and stays read-only, and the page asks once only', async () => {
    const ada = await open(newRoom(), 'Ada')
    let asked = 0
    await ada.route(/lockLocation/, (route) => {
      if (!route.request().url().includes('unlock')) asked++
      return route.fulfill({ json: { result: { data: { outcome: 'full' } } } })
    })
    await goTo(ada, 'A5')
    await ada.keyboard.press('F2')
    await ada.getByRole('alert').filter({ hasText: 'This cell could not be locked: try again.' }).waitFor()
    expect(await editor(ada).evaluate((input: HTMLInputElement) => input.readOnly)).toBe(true)
    expect(asked).toBe(1)
    await ada.keyboard.press('Escape')
    expect(await editor(ada).count()).toBe(0)
  })

  test('keys begin an edit, save it and move on, or drop it with Escape', async () => {
    const ada = await open(newRoom(), 'Ada')
    await goTo(ada, 'A5')
    await ada.keyboard.press('x')
    expect(await editor(ada).inputValue()).toBe('x')
    await ada.keyboard.type('yz')
    await ada.keyboard.press('Tab')
    expect([await shown(ada), await nameBox(ada)]).toEqual(['xyz', 'B5'])
    await ada.keyboard.press('Shift+Tab')
    await ada.keyboard.press('Enter')
    await ada.keyboard.type('dropped')
    await ada.keyboard.press('Escape')
    expect([await shown(ada), await nameBox(ada)]).toEqual(['xyz', 'A5'])
    // The grid has the focus again, so Delete clears the cell.
    await ada.keyboard.press('Delete')
    await expect.poll(() => shown(ada), soon).toBe('')
    await goTo(ada, 'H5')
    await ada.keyboard.type('1234.5')
    await ada.keyboard.press('Enter')
    expect(await ada.locator('#cell-4-7').innerText()).toBe('$1,235')
  })

  test('on a phone, a second touch of a cell begins an edit', async () => {
    const page = await open(newRoom(), 'Ada', phone)
    await goTo(page, 'A7')
    await page.locator('#cell-4-0').tap()
    expect(await editor(page).count()).toBe(0)
    await page.locator('#cell-4-0').tap()
    expect(await editor(page).evaluate((input) => input === document.activeElement)).toBe(true)
    await editor(page).fill('By phone')
    await page.locator('#cell-7-0').tap()
    await expect.poll(() => shown(page), soon).toBe('By phone')
    await page.getByRole('button', { name: 'Edit this cell' }).tap()
    await page.getByRole('textbox', { name: 'Text of Plan!A8' }).waitFor()
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0)
  })

  test('a page of the demo that was offline loads the edits that it missed', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    await bo.route('**/trpc/**', (route) => route.abort())
    await bo.getByRole('button', { name: 'Edit this cell' }).waitFor()
    await goTo(ada, 'A5')
    await ada.keyboard.type('Meanwhile')
    await bo.evaluate(() => window.dispatchEvent(new Event('offline')))
    await ada.keyboard.press('Enter')
    await expect
      .poll(async () => (await demo.server.router.createCaller({}).cells({ room })).cells.length, soon)
      .toBe(1)
    await bo.unroute('**/trpc/**')
    await bo.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(() => shown(bo), { timeout: 8_000 }).toBe('Meanwhile')
  })

  test('a forged broadcast of another member does not change a cell', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const calls = demo.server.router.createCaller({})
    const own = { room, connectionKey: 'k'.repeat(22) }
    await calls.postLocation({ ...own, location: null })
    const payload = { revision: 1, after: 0, cell: { ...a5, text: 'Forged' } }
    await calls.broadcastToRoom({ ...own, name: 'changed', payload })
    await calls.broadcastToRoom({ ...own, name: 'reaction', payload: { emoji: '🎉' } })
    await calls.broadcastToRoom({ ...own, name: 'look', payload: { at: a5 } })
    // The broadcast `look` comes after the forged one, so the forged one has arrived, too.
    await ada.getByRole('status').filter({ hasText: 'Someone' }).waitFor()
    expect(await shown(ada)).toBe(firstText)
  })

  test('pointers, reactions and "look here" reach other pages of the demo', async () => {
    const room = newRoom()
    const ada = await open(room, 'Ada')
    const bo = await open(room, 'Bo')
    const { x, y } = (await ada.locator('#cell-9-2').boundingBox())!
    await ada.mouse.move(x - 30, y - 30)
    await ada.mouse.move(x + 20, y + 10, { steps: 3 })
    const arrow = bo.locator('.hb-cursor:not([hidden])')
    await arrow.waitFor()
    expect(await arrow.innerText()).toBe('Ada')
    await expect
      .poll(async () => Math.round((await arrow.boundingBox())!.x - (await bo.locator('#cell-9-2').boundingBox())!.x))
      .toBe(20)
    await ada.getByRole('button', { name: 'React' }).click()
    await ada.getByRole('button', { name: 'Hooray' }).click()
    await bo.locator('.bubble', { hasText: '🎉' }).waitFor()
    await goTo(ada, 'H20')
    await ada.getByRole('button', { name: 'Ask the others to look here' }).click()
    await bo.getByRole('status').filter({ hasText: 'Plan!H20' }).waitFor()
    await bo.getByRole('button', { name: 'Go there' }).click()
    expect(await nameBox(bo)).toBe('H20')
  })

  test('a name that changes the direction of writing does not change it in the sentence around the name', async () => {
    const room = newRoom()
    const bo = await open(room, 'Bo')
    const ada = await open(room, 'Ada \u202eevil')
    await goTo(ada, 'C8')
    await ada.getByRole('button', { name: 'Ask the others to look here' }).click()
    const sentence = bo.getByRole('status').filter({ hasText: 'asks you to look' })
    await sentence.waitFor()
    // The sentence is still written from left to right: its end is to the right of its beginning.
    const isInOrder = await sentence
      .locator('span span')
      .first()
      .evaluate((element) => {
        const text = element.firstChild!
        const at = (word: string) => {
          const range = document.createRange()
          const start = text.textContent!.indexOf(word)
          range.setStart(text, start)
          range.setEnd(text, start + word.length)
          return range.getBoundingClientRect().left
        }
        return at('asks') < at('look') && at('look') < at('Plan!C8')
      })
    expect(isInOrder).toBe(true)
  })
})
