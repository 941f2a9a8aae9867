import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { addressOf, example } from '../support/example.js'
import { root } from '../support/snippets.js'

const pages = example('svelte-vue-solid')

describe.skipIf(!pages)('Svelte, Vue and Solid', () => {
  test('each file of the Svelte, Vue and Solid example has fewer than thirty lines', () => {
    for (const name of ['People.svelte', 'People.vue', 'People.jsx', 'svelte.html', 'vue.html', 'solid.html']) {
      const text = readFileSync(join(root, 'examples/svelte-vue-solid', name), 'utf8')
      expect(text.trimEnd().split('\n').length, name).toBeLessThan(30)
    }
  })

  test.skipIf(!chromiumPath)('pages in Svelte, Vue and Solid see each other', { timeout: 60_000 }, async () => {
    const { commands, start } = pages!
    expect(commands).toEqual(['npm ci', 'npm run example svelte-vue-solid'])
    await using app = start()
    const url = await addressOf(app)
    await using browser = await launchChromium()
    const open = async (name: string) => {
      const page = await (await browser.newContext()).newPage()
      await page.goto(`${url}/${name}.html`)
      await page.getByText('live').waitFor({ timeout: 10_000 })
      return { name, page }
    }
    const opened = await Promise.all(['svelte', 'vue', 'solid'].map(open))
    for (const { page } of opened) await page.getByRole('button').click()
    for (const { page, name } of opened) {
      const others = page.getByRole('listitem').filter({ hasText: /is in row \d+/ })
      await others.nth(1).waitFor({ timeout: 10_000 })
      const names = (await others.allTextContents()).map((text) => text.trim().split(' ')[0]!.toLowerCase())
      expect(names.toSorted()).toEqual(['solid', 'svelte', 'vue'].filter((other) => other !== name))
    }
    await opened[0]!.page.close()
    await opened[1]!.page.getByText('Svelte is').waitFor({ state: 'detached', timeout: 20_000 })
  })
})
