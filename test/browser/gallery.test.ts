import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { serveGallery } from '../support/browser/gallery-page.js'
import { pictureDifference, shrunk } from '../support/browser/picture-difference.js'

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
type AxeResults = { violations: { id: string; nodes: { html: string }[] }[] }

const desktop = { viewport: { width: 1100, height: 900 } }
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
const looks: Record<string, { query: string; options: BrowserContextOptions }> = {
  light: { query: 'theme=light', options: desktop },
  dark: { query: 'theme=dark', options: desktop },
  'forced-colours': { query: 'theme=light', options: { ...desktop, forcedColors: 'active' } },
  'right-to-left': { query: 'theme=light&dir=rtl', options: desktop },
  phone: { query: 'theme=light', options: phone },
  'phone-dark': { query: 'theme=dark', options: phone },
}
/**
 * Another build of Chromium draws letters and edges a little differently: a picture may differ by 2 % in length, and in
 * 0.8 % of its tiles. The pictures are for the fonts of scripts/machine.sh; UPDATE_PICTURES=1 writes them anew.
 */
const tolerance = { size: 0.02, tiles: 0.008 }

const folder = fileURLToPath(new URL('gallery', import.meta.url))
const pathOf = (name: string) => `${folder}/${name}.webp`

describe.skipIf(!chromiumPath)('the UI kit in Chromium (skipped without Chromium)', { timeout: 30_000 }, () => {
  let gallery: Awaited<ReturnType<typeof serveGallery>>
  let browser: Browser
  beforeAll(async () => {
    gallery = await serveGallery()
    browser = await launchChromium()
  }, 60_000)
  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())))
  afterAll(async () => {
    await browser?.close()
    await gallery?.[Symbol.asyncDispose]()
  })

  async function open(query: string, options: BrowserContextOptions = desktop): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage()
    page.setDefaultTimeout(8_000)
    await page.goto(`${gallery.url}?still&${query}`)
    await page.locator('.hb-notice[data-state=closed]').waitFor()
    return page
  }
  const picture = async (page: Page) =>
    shrunk(page, await page.screenshot({ fullPage: true, animations: 'disabled', scale: 'css' }))

  test.each(Object.entries(looks))('the gallery looks as in gallery/%s.webp', async (name, { query, options }) => {
    const page = await open(query, options)
    const now = await picture(page)
    if (process.env['UPDATE_PICTURES']) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(pathOf(name), now)
    }
    const { size, tiles } = await pictureDifference(page, readFileSync(pathOf(name)), now)
    expect(size).toBeLessThan(tolerance.size)
    expect(tiles).toBeLessThan(tolerance.tiles)
  })

  test('the comparison of pictures fails for a missing background, missing avatars and the wrong theme', async () => {
    const before = readFileSync(pathOf('light'))
    for (const rule of [
      '.hb-avatar { background: none }',
      '.hb-stack { display: none }',
      '.hb-notice { all: revert }',
    ]) {
      const page = await open('theme=light')
      await page.addStyleTag({ content: rule })
      const { size, tiles } = await pictureDifference(page, before, await picture(page))
      expect(size > tolerance.size || tiles > tolerance.tiles, rule).toBe(true)
    }
    const dark = await open('theme=dark')
    expect((await pictureDifference(dark, before, await picture(dark))).tiles).toBeGreaterThan(0.5)
  })

  test.each(['light', 'dark'])('axe finds no fault in the %s gallery with an open list', async (theme) => {
    const page = await open(`theme=${theme}`)
    await page.getByRole('button', { name: 'show all 9 people' }).click()
    await page.addScriptTag({ path: axePath })
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    )
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
  })

  test('the accessibility tree has the avatar stack as a list of names with activities', async () => {
    const page = await open('theme=light')
    const stack = page.locator('.hb-stack').nth(1)
    expect(await stack.ariaSnapshot()).toBe(
      `- list "9 people here":
  - listitem:
    - img "Ada Lovelace"
  - listitem:
    - img "Bo Li, idle"
  - listitem:
    - img "نگار رضایی"
  - listitem:
    - button "+6, show all 9 people": "+6"`,
    )
    await stack.getByRole('button').click()
    const list = page.getByRole('dialog', { name: '9 people here' })
    const rows = (await list.ariaSnapshot()).split('\n').filter((line) => line.includes('listitem'))
    expect(rows.length).toBe(9)
    expect(await list.getByRole('listitem').nth(1).innerText()).toMatch(/Bo Li\s*,\s*idle, Plan B6$/)
  })

  test('the accessibility tree has the notice as a status without its countdown, and no cursors', async () => {
    const page = await open('theme=light')
    expect(await page.locator('.hb-notice').first().ariaSnapshot()).toBe(
      `- status: Connection lost. Others may have moved on.
- text: Trying again in 7 s
- button "Retry now"`,
    )
    expect(await page.locator('.hb-area').ariaSnapshot()).not.toContain('Ada')
    const field = page.getByRole('textbox', { name: 'Title' })
    await field.focus()
    expect(
      await field.evaluate((input: HTMLInputElement) => [input.readOnly, document.activeElement === input]),
    ).toEqual([true, true])
  })

  test('a screen reader announces the flag of a member as their name and activity, and a field together with the member who edits it', async () => {
    const page = await open('theme=light')
    const flags = page.locator('.hb-flag')
    expect(await flags.nth(0).ariaSnapshot()).toBe('- text: Ada Lovelace')
    expect(await flags.nth(1).ariaSnapshot()).toMatch(/^- text: Bo Li\s*, idle$/)
    const session = await page.context().newCDPSession(page)
    const described = async (name: string) => {
      const { nodes } = await session.send('Accessibility.getFullAXTree')
      const field = nodes.find(
        ({ role, name: found }) => role?.value === 'textbox' && `${found?.value}`.startsWith(name),
      )
      const isReadOnly =
        field?.properties?.some(({ name, value }) => name === 'readonly' && value.value === true) === true
      return { text: `${field?.description?.value ?? ''}`.replaceAll(/[\u2068\u2069]/g, ''), isReadOnly }
    }
    expect(await described('Title')).toEqual({ text: 'نگار رضایی is editing', isReadOnly: true })
    expect(await described('Notes')).toEqual({ text: '', isReadOnly: false })
  })

  test('the Enter key opens the list of a stack, Escape closes it, and focus returns to the button', async () => {
    const page = await open('theme=light')
    const more = page.getByRole('button', { name: 'show all 9 people' })
    await page.getByRole('button', { name: 'Right to left' }).focus()
    await page.keyboard.press('Tab')
    expect(await more.evaluate((button) => button === document.activeElement)).toBe(true)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await more.evaluate((button) => button === document.activeElement)).toBe(true)
    await more.click()
    await page.mouse.click(5, 5)
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('the list of a stack stays 8 pixels inside of the window on a phone, left to right and right to left', async () => {
    for (const dir of ['ltr', 'rtl']) {
      const page = await open(`theme=light&dir=${dir}`, phone)
      await page.getByRole('button', { name: 'show all 9 people' }).click()
      const { x, width } = (await page.getByRole('dialog').boundingBox())!
      expect(x).toBeGreaterThanOrEqual(8)
      expect(x + width).toBeLessThanOrEqual(390 - 8)
    }
  })

  test('no component is wider than the window at 200 % zoom and at 320 pixels', async () => {
    for (const viewport of [
      { width: 550, height: 450 },
      { width: 320, height: 640 },
    ]) {
      const page = await open('theme=light', { viewport })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width)
    }
  })

  test('in forced colours avatars and flags have borders that can be seen', async () => {
    const page = await open('theme=light', { ...desktop, forcedColors: 'active' })
    for (const selector of ['.hb-avatar', '.hb-flag', '.hb-cursor-name', '.hb-more'])
      expect(
        await page
          .locator(selector)
          .first()
          .evaluate((element) => getComputedStyle(element).borderTopColor),
        selector,
      ).toBe(await page.evaluate(() => getComputedStyle(document.body).color))
  })

  test("an app's own rules win, whatever their specificity and order, and its plain buttons do not fill avatars", async () => {
    const page = await open('theme=light')
    await page.addStyleTag({
      content: 'button { background: red; padding: 1em 2em; border: 3px solid } span { letter-spacing: 3px }',
    })
    const chosen = page.getByRole('button', { name: 'Emeka Obi' })
    const { width } = (await chosen.boundingBox())!
    expect(width).toBe(40)
    expect(
      await page
        .locator('.hb-avatar')
        .first()
        .evaluate((avatar) => getComputedStyle(avatar).letterSpacing),
    ).toBe('3px')
    expect(
      await page
        .locator('.hb-button')
        .first()
        .evaluate((button) => getComputedStyle(button).backgroundColor),
    ).toBe('rgb(255, 0, 0)')
  })
})
