import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { serveDemo, type Demo } from '../support/servers/demo.js'

/** Texts with code. If the code runs, it opens a dialog or sets `window.ran`. */
const payloads = [
  '<img src=x onerror=alert(1)>',
  '<script>window.ran=1</script>',
  '"><svg onload=alert(1)>',
  "' autofocus onfocus=alert(1) x='",
  '</style><b style=color:red>x</b>',
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
  '${window.ran=1}',
  '<!--<iframe srcdoc="<script>parent.ran=1</script>">',
  '__proto__',
]

describe.skipIf(!chromiumPath)('text from users in the demo (skipped without Chromium)', { timeout: 30_000 }, () => {
  let demo: Demo
  let browser: Browser
  /** Dialogs, errors and violations of the content security policy. */
  const complaints: string[] = []

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

  async function open(room: string, name = 'Ada'): Promise<Page> {
    const page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(8_000)
    await page.addInitScript((name) => {
      localStorage.setItem('hereabouts.profile', JSON.stringify({ name }))
      localStorage.setItem('hereabouts.log', 'true')
    }, name)
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('dialog', (dialog) => {
      complaints.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await page.goto(`${demo.url}/?${new URLSearchParams({ room })}`)
    await page.locator('.status[data-state=live]').waitFor()
    return page
  }
  /** Expects that no code ran and that the page contains no injected element. */
  const isClean = async (page: Page) => {
    expect(
      await page.locator(':is(iframe, img, b[style], [onload], [onerror], [onfocus], a[href^=javascript])').count(),
    ).toBe(0)
    expect(await page.locator('script:not([src])').count()).toBe(0)
    expect(await page.evaluate(() => 'ran' in window)).toBe(false)
  }

  test('code in names, colours, member ids and cells is shown as text by the demo', async () => {
    const page = await open('names', payloads[0])
    const members = payloads.slice(1)
    for (const [i, name] of members.entries()) {
      const post = (row: number) =>
        demo.server.hub.room('names').post({
          memberId: name,
          profile: { name, color: `red;x:url(//example.com/${i})` },
          location: { sheet: i % 2 ? 'Plan' : name, row, col: i % 3 },
        })
      await post(i + 3)
      await post(i + 4)
    }
    for (const name of members) await page.locator('.line', { hasText: name }).first().waitFor()
    await page.locator('.hb-stack button[aria-haspopup=dialog]').click()
    for (const name of members) await page.locator('.hb-row bdi', { hasText: name }).first().waitFor()
    for (const name of members.filter((_, i) => i % 2 === 0))
      await page.locator('.hb-details', { hasText: name }).first().waitFor()
    expect(await page.content()).not.toContain('example.com')
    await isClean(page)
  })

  test('code in room ids and cell addresses is shown as text by the demo', async () => {
    const page = await open('rooms')
    for (const room of payloads) {
      await page.goto(`${demo.url}/?${new URLSearchParams({ room })}`)
      expect(await page.locator('.room').innerText()).toBe(room)
      await page.getByRole('textbox', { name: 'Go to a cell' }).fill(room)
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Share' }).click()
      await isClean(page)
    }
  })

  test('code in a user’s own name is shown as text to the user, also after a reload', async () => {
    const page = await open('self')
    for (const name of payloads.slice(0, 3)) {
      await page.getByRole('button', { name: /^You are/ }).click()
      await page.getByRole('textbox', { name: 'Name' }).fill(name)
      await page.getByRole('button', { name: 'Done' }).click()
      await page.getByRole('button', { name: `You are ${name}` }).waitFor()
    }
    await page.reload()
    await page.locator('.status[data-state=live]').waitFor()
    await isClean(page)
  })

  test('the content security policy of the demo blocks inline code that is added to the page', async () => {
    const policy = (await fetch(demo.url)).headers.get('content-security-policy')!
    const rules = new Map(policy.split(';').map((rule) => [rule.trim().split(' ')[0]!, rule.trim()]))
    expect(rules.get('default-src')).toBe("default-src 'self'")
    expect(rules.get('script-src') ?? "script-src 'self'").toBe("script-src 'self'")
    expect(rules.get('base-uri')).toBeDefined()
    expect(policy).not.toContain('unsafe')
    const page = await open('inline')
    await page.evaluate(() => {
      document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = 1">')
      const script = document.createElement('script')
      script.text = 'window.ran = 1'
      document.body.append(script)
    })
    // The test itself causes these violations.
    await expect
      .poll(() => complaints.filter((text) => text.includes('Content Security Policy')).length)
      .toBeGreaterThan(1)
    expect(await page.evaluate(() => 'ran' in window)).toBe(false)
    await page.close()
    complaints.length = 0
  })
})
