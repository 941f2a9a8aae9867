import { serveLocations } from 'hereabouts/testing'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { until } from '../support/until.js'

type State = { status: { state: string; transport?: string }; others: string[]; restored: number }
declare global {
  interface Window {
    reconnect(): void
  }
}
const stateOf = (page: Page) => page.evaluate(() => (window as unknown as { read(): unknown }).read()) as Promise<State>
const go = (page: Page, row: number) =>
  page.evaluate((at) => (window as unknown as { go(row: number): unknown }).go(at), row)
const live = async (page: Page) => {
  const { status } = await stateOf(page)
  return status.state === 'live' && status.transport === 'websocket'
}

describe.skipIf(!chromiumPath)('a WebSocket in Chromium (skipped without Chromium)', { timeout: 60_000 }, () => {
  let built: Awaited<ReturnType<typeof builtPage>>
  let browser: Browser

  beforeAll(async () => {
    built = await builtPage('socket')
    browser = await launchChromium()
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await built?.[Symbol.asyncDispose]()
  })

  async function opened(url: string, name: string) {
    const page = await (await browser.newContext()).newPage()
    const sockets: string[] = []
    const streams: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    page.on('request', (request) => request.url().includes('onLocation') && streams.push(request.url()))
    await page.goto(`${url}/?name=${name}`)
    return { page, sockets, streams }
  }

  test('two pages in Chromium see each other over one WebSocket each', async () => {
    await using server = await serveLocations({ webSocket: true, static: built.folder })
    const url = new URL(server.url).origin
    const ada = await opened(url, 'Ada')
    const bob = await opened(url, 'Bob')
    await until('both are live', async () => (await live(ada.page)) && live(bob.page))
    await go(ada.page, 7)
    await until('bob sees it', async () => (await stateOf(bob.page)).others.includes('Ada 7'))
    expect([ada.sockets.length, bob.sockets.length, ada.streams.length]).toEqual([1, 1, 0])
    // A page that is closed closes its socket, and sends its leave by an HTTP request.
    await ada.page.goto('about:blank')
    await until('ada has left', async () => (await stateOf(bob.page)).others.length === 0)
    await until('one stream is left', async () => (await server.hub.room('r').members()).length === 1)
  })

  test('`reconnect()` opens another WebSocket in Chromium', async () => {
    await using server = await serveLocations({ webSocket: true, static: built.folder })
    const { page, sockets } = await opened(new URL(server.url).origin, 'Ada')
    await until('it is live', () => live(page))
    await page.evaluate(() => window.reconnect())
    await until('another socket is open', async () => sockets.length === 2 && live(page))
  })

  test('a page in Chromium reaches a server without WebSockets over SSE', async () => {
    await using server = await serveLocations({ static: built.folder })
    const { page, streams } = await opened(new URL(server.url).origin, 'Ada')
    await until('it is live', async () => {
      const { status } = await stateOf(page)
      return status.state === 'live' && status.transport === 'sse'
    })
    expect(streams.length).toBeGreaterThan(0)
  })
})
