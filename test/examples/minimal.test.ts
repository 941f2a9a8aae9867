import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { addressOf, example } from '../support/example.js'
import { root } from '../support/snippets.js'

describe('the minimal example', () => {
  const { commands, start } = example('minimal')!

  test('the minimal example has a server and a page of fewer than sixty lines together', () => {
    const folder = join(root, 'examples/minimal')
    const files = ['main.mjs', ...['page.js', 'index.html'].map((name) => `page/${name}`)]
    const lines = files.flatMap((file) => readFileSync(join(folder, file), 'utf8').trimEnd().split('\n'))
    expect(lines.length).toBeLessThan(60)
    const others = readdirSync(folder).filter((name) => !['README.md', 'main.mjs', 'page'].includes(name))
    expect(others).toEqual([])
  })

  test.skipIf(!chromiumPath)('the minimal example shows two windows to each other', { timeout: 60_000 }, async () => {
    expect(commands).toEqual(['npm ci', 'npm run example minimal'])
    await using app = start()
    const url = await addressOf(app)
    await using browser = await launchChromium()
    const open = async () => {
      const page = await (await browser.newContext()).newPage()
      await page.goto(url)
      return page
    }
    const [here, there] = [await open(), await open()]
    await here.mouse.move(100, 100)
    await here.mouse.move(200, 150)
    const cursor = there.locator('output')
    await cursor.waitFor({ timeout: 10_000 })
    expect(await cursor.textContent()).toMatch(/^⬉ Guest \d+$/)
    await here.close({ runBeforeUnload: false })
    await cursor.waitFor({ state: 'detached', timeout: 20_000 })
  })
})
