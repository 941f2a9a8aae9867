import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { expect, onTestFinished, test } from 'vitest'
import { Hub } from '../../src/server/hub/hub.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { cell, stockClient } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/* The browser's own EventSource reads a stream that the server joins from separately compressed parts. */

declare global {
  interface Window {
    source: EventSource
    heard: { text: string; id: string }[]
    opened: number
  }
}

test.skipIf(!chromiumPath)(
  "Chromium's EventSource receives each move over a compressed stream, and resumes (skipped without Chromium)",
  { timeout: 30_000 },
  async () => {
    const timing = { beatMs: 300, drainMs: 200 }
    const server = createLocationServer({ location: cellLocation, anonymous: true, compress: true, timing })
    const { url, trpcUrl } = await server.listen(0)
    onTestFinished(() => server.close())
    await using browser = await launchChromium()
    const page = await browser.newPage()
    const encodings: (string | undefined)[] = []
    page.on('response', (response) => {
      if (response.url().includes('onLocation')) encodings.push(response.headers()['content-encoding'])
    })
    await page.goto(`${url}/livez`)
    const client = stockClient(trpcUrl)
    const move = (row: number) =>
      client.postLocation.mutate({ room: 'r', connectionKey: 'k'.repeat(22), seq: row, location: cell(row) })
    // Posts many members, so that frames are large enough to be deflated and not only stored.
    for (let n = 0; n < 30; n++)
      await client.postLocation.mutate({
        room: 'r',
        connectionKey: String(n).padStart(22, 'x'),
        seq: 1,
        location: cell(n),
      })
    await page.evaluate(() => {
      window.heard = []
      window.opened = 0
      window.source = new EventSource(`/trpc/onLocation?input=${encodeURIComponent('{"room":"r"}')}`)
      window.source.addEventListener('open', () => (window.opened += 1))
      window.source.addEventListener('message', ({ data, lastEventId }) =>
        window.heard.push({ text: data as string, id: lastEventId }),
      )
    })
    const heard = () => page.evaluate(() => window.heard)
    const hears = (words: string) =>
      until(`it hears ${words}`, async () => (await heard()).some(({ text }) => text.includes(words)), 10_000)
    await hears('"snapshot"')
    for (const row of [101, 102, 103]) {
      await move(row)
      await hears(`"row":${row},`)
    }
    await hears('"beat"')
    // The server ends the stream, and the browser resumes it.
    const before = (await heard()).at(-1)!.id
    if (!(server.hub instanceof Hub)) throw new TypeError('a hub is a Hub')
    const { subscribers } = await server.hub.use('r', async (room) => room)
    for (const subscriber of subscribers) subscriber.end('rotated')
    await hears('"bye"')
    await move(104)
    await hears('"row":104,')
    expect(await page.evaluate(() => window.opened)).toBe(2)
    const all = await heard()
    expect(all.filter(({ text }) => text.includes('"snapshot"'))).toHaveLength(1)
    expect(all.some(({ text }) => text.includes(`"from":"${before}"`))).toBe(true)
    expect(encodings).toEqual(['gzip', 'gzip'])
    await page.evaluate(() => window.source.close())
  },
)
