import { describe, expect, test } from 'vitest'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { addressOf, example } from '../support/example.js'

const nextjs = example('nextjs')

describe.skipIf(!nextjs)('the Next app', { timeout: 60_000 }, () => {
  const { commands, start } = nextjs!

  test.skipIf(!chromiumPath)('the Next app shows members in its HTML, and then their moves', async () => {
    expect(commands).toEqual(['npm ci', 'npm run example nextjs'])
    await using app = start()
    const url = await addressOf(app)
    const html = async () => (await (await fetch(url)).text()).replaceAll('<!-- -->', '')
    expect(await html()).toContain('<ul></ul>')

    await using browser = await launchChromium()
    const complaints: string[] = []
    const open = async (name: string) => {
      const page = await (await browser.newContext()).newPage()
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(`${url}/?name=${name}`)
      await page.getByText('live').waitFor()
      return page
    }
    const ada = await open('Ada')
    await ada.getByRole('button', { name: 'Row 3' }).click()
    await expect.poll(html).toContain('Ada is in row 3')

    const grace = await open('Grace')
    await grace.getByText('Ada is in row 3').waitFor()
    await ada.getByText('Grace has just come').waitFor()
    await grace.getByRole('button', { name: 'Row 2' }).click()
    await ada.getByText('Grace is in row 2').waitFor()
    await grace.close()
    await ada.getByText('Grace').waitFor({ state: 'detached' })
    expect(complaints).toEqual([])

    // The app exits on Ctrl-C although a stream is open.
    app.interrupt()
    await app.status
  })
})
