import { cellLocation } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { builtPage } from '../support/browser/built-page.js'
import { chromiumPath, launchChromium } from '../support/browser/chromium.js'
import { until } from '../support/until.js'

/** A heartbeat every two seconds: fast enough for a test, slow enough for twelve tabs on a busy machine. */
const scale = 1 / 5

describe.skipIf(!chromiumPath)('tabs that share a stream (skipped without Chromium)', { timeout: 60_000 }, () => {
  let built: Awaited<ReturnType<typeof builtPage>>
  let server: Awaited<ReturnType<typeof serve>>
  let browser: Browser
  let rooms = 0

  /** The member is identified by a cookie. The member `eve` may read nothing. */
  const serve = () =>
    serveLocations({
      location: cellLocation,
      static: built.folder,
      timing: { scale },
      identify: ({ ctx }) => {
        const [, memberId] = /member=(\w+)/.exec(ctx.headers.get('cookie') ?? '') ?? []
        return { memberId: memberId ?? 'nobody', profile: { name: memberId ?? 'Nobody' } }
      },
      authorize: ({ member, action }) => action === 'post' || (member !== null && member.memberId !== 'eve'),
    })

  beforeAll(async () => {
    built = await builtPage('tab')
    server = await serve()
    browser = await launchChromium()
  }, 60_000)
  afterEach(() => Promise.all(browser.contexts().map((context) => context.close())))
  afterAll(async () => {
    await browser?.close()
    await server?.close()
    await built?.[Symbol.asyncDispose]()
  })

  const newRoom = () => `room-${++rooms}`
  /** Opens a browser context with a signed-in member, and tracks the open streams of its tabs. */
  async function browserOf(memberId: string) {
    const context = await browser.newContext()
    await signIn(context, memberId)
    const open = new Map<object, Page>()
    let asked = 0
    context.on('request', (request) => {
      if (!request.url().includes('onLocation')) return
      asked++
      open.set(request, request.frame().page())
    })
    const ended = (request: object) => void open.delete(request)
    context.on('requestfinished', ended).on('requestfailed', ended)
    const tab = async (room: string) => {
      const page = await context.newPage()
      await page.goto(new URL(server.url).origin)
      await page.evaluate((room) => window.enter(room), room)
      return page
    }
    return {
      context,
      tab,
      // Playwright does not report the end of requests of a closed page.
      streams: () => [...open.values()].filter((page) => !page.isClosed()).length,
      asked: () => asked,
      leader: () => [...open.values()].at(-1)!,
    }
  }
  const signIn = (context: BrowserContext, memberId: string) =>
    context.addCookies([{ name: 'member', value: memberId, url: new URL(server.url).origin }])
  const stateOf = (page: Page) => page.evaluate(() => window.state())
  const isLive = (page: Page) => until('a tab is live', async () => (await stateOf(page)).status === 'live', 15_000)
  const sees = (page: Page, who: string) =>
    until(`a tab sees ${who}`, async () => (await stateOf(page)).others.includes(who), 15_000)
  const bobIn = async (room: string) => {
    const bob = await browserOf('bob')
    const tab = await bob.tab(room)
    await isLive(tab)
    return { tab, move: (row: number) => tab.evaluate((row) => window.move(row), row) }
  }

  test('twelve tabs share one stream, each has its own connection, and each post takes less than two seconds', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs: Page[] = []
    for (let i = 0; i < 12; i++) tabs.push(await ada.tab(room))
    await Promise.all(tabs.map(isLive))
    expect(ada.streams()).toBe(1)
    const bob = await bobIn(room)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 0')))
    await bob.move(7)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 7')))
    await until('all twelve are seen', async () => (await stateOf(tabs[0]!)).tabs === 12)
    const tookMs = await Promise.all(tabs.map((tab, i) => tab.evaluate((row) => window.move(row), i + 10)))
    expect(Math.max(...tookMs)).toBeLessThan(2_000)
    expect(ada.asked()).toBe(1)
  })

  test('when the leader tab is closed, another tab opens the stream, and no tab misses an event', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs = [await ada.tab(room), await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    const bob = await bobIn(room)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 0')))
    const leader = ada.leader()
    const rest = tabs.filter((tab) => tab !== leader)
    expect(rest).toHaveLength(2)
    const closed = leader.close()
    for (let row = 1; row <= 20; row++) await bob.move(row)
    await closed
    await Promise.all(rest.map((tab) => sees(tab, 'bob 20')))
    for (const { news } of await Promise.all(rest.map(stateOf))) {
      expect(news.filter((item) => /^(left|lost|waiting|entered bob.*entered)/.test(item))).toEqual([])
      expect(news.filter((item) => item === 'entered bob 0')).toHaveLength(1)
    }
    expect(ada.streams()).toBe(1)
    expect(ada.asked()).toBe(2)
  })

  test('when the leader tab crashes, another tab opens the stream, and all tabs see the next event', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs = [await ada.tab(room), await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    const bob = await bobIn(room)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 0')))
    const leader = ada.leader()
    const cdp = await ada.context.newCDPSession(leader)
    void cdp.send('Page.crash').catch(() => {})
    await bob.move(5)
    const rest = tabs.filter((tab) => tab !== leader)
    await Promise.all(rest.map((tab) => sees(tab, 'bob 5')))
    for (const { news } of await Promise.all(rest.map(stateOf)))
      expect(news.filter((item) => /^(left|lost|waiting)/.test(item))).toEqual([])
  })

  test('when the leader tab cannot open a stream, every tab shows the error within a second', async () => {
    const ada = await browserOf('ada')
    let fail = () => {}
    const failing = new Promise<void>((resolve) => (fail = resolve))
    // Posts are answered. Streams hang, as behind a proxy that holds them back, until the first stream fails.
    let asked = 0
    await ada.context.route(/onLocation/, async (route) => {
      if (++asked > 1) return
      await failing
      await route.fulfill({ status: 502, contentType: 'text/html', body: 'Bad gateway' })
    })
    const room = newRoom()
    const tabs = [await ada.tab(room), await ada.tab(room), await ada.tab(room)]
    await until('every tab posts', async () => (await stateOf(tabs[2]!)).self === 'ada')
    expect(await Promise.all(tabs.map(async (tab) => (await stateOf(tab)).error))).toEqual([null, null, null])
    fail()
    for (const tab of tabs)
      await until('the tab shows the error', async () => /502/.test((await stateOf(tab)).error ?? ''), 1_000)
  })

  test('a follower tab whose requests get no answer makes the leader open a new stream', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs = [await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    const leader = ada.leader()
    const follower = tabs.find((tab) => tab !== leader)!
    // The leader must have led for half a heartbeat interval.
    await until('two seconds have passed', () => follower.evaluate(() => performance.now() > 2_000))
    // Acts like a development proxy whose server is gone: requests fail, but the open stream is not closed.
    await ada.context.route('**/trpc/**', (route) => route.fulfill({ status: 500, body: 'proxy error' }))
    void follower.evaluate(() => window.move(3))
    for (const tab of tabs) await until('a tab is not live', async () => (await stateOf(tab)).status !== 'live', 15_000)
    await ada.context.unroute('**/trpc/**')
    await Promise.all(tabs.map(isLive))
    expect(ada.streams()).toBe(1)
  })

  test('when the leader tab is frozen, another tab opens the stream, and the first one returns as a follower', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs = [await ada.tab(room), await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    const bob = await bobIn(room)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 0')))
    const leader = ada.leader()
    const cdp = await ada.context.newCDPSession(leader)
    await cdp.send('Debugger.enable')
    // Stops the page within a script, like a page that hangs.
    const stopped = new Promise((resolve) => cdp.once('Debugger.paused', resolve))
    void leader.evaluate('debugger').catch(() => {})
    await stopped
    await bob.move(3)
    const rest = tabs.filter((tab) => tab !== leader)
    await Promise.all(rest.map((tab) => sees(tab, 'bob 3')))
    await cdp.send('Debugger.resume')
    await cdp.detach()
    await sees(leader, 'bob 3')
    await bob.move(4)
    await Promise.all(tabs.map((tab) => sees(tab, 'bob 4')))
    await until('there is one stream again', () => ada.streams() === 1)
    for (const { news } of await Promise.all(rest.map(stateOf)))
      expect(news.filter((item) => item.startsWith('left'))).toEqual([])
  })

  test('no message between tabs and no URL of a shared stream contains a connection key', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const urls: string[] = []
    ada.context.on('request', (request) => urls.push(`${request.url()} ${request.postData() ?? ''}`))
    const tabs = [await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    await tabs[1]!.evaluate(() => window.move(3))
    const keys = urls.flatMap((text) =>
      [...decodeURIComponent(text).matchAll(/"connectionKey":"([\w-]{22})"/g)].map(([, key]) => key!),
    )
    expect(new Set(keys).size).toBe(2)
    const passed = (await Promise.all(tabs.map(stateOf))).flatMap((state) => state.passed).join('\n')
    expect(passed).toContain('"snapshot"')
    for (const key of keys) expect(passed).not.toContain(key)
    expect(urls.filter((text) => text.includes('onLocation')).join()).not.toContain('connectionKey')
  })

  test('a tab of a member who may not read is refused, although another tab has an open stream of the previous member', async () => {
    const room = newRoom()
    const browserOfBoth = await browserOf('ada')
    const ada = await browserOfBoth.tab(room)
    await isLive(ada)
    await signIn(browserOfBoth.context, 'eve')
    const eve = await browserOfBoth.tab(room)
    await until('eve is refused', async () => (await stateOf(eve)).status === 'closed')
    const { others, news } = await stateOf(eve)
    expect([others, news.filter((item) => !item.startsWith('c'))]).toEqual([[], []])
  })

  test('after a sign-in as another member, the next post of a tab ends its use of the previous stream', async () => {
    const room = newRoom()
    const ada = await browserOf('ada')
    const tabs = [await ada.tab(room), await ada.tab(room)]
    await Promise.all(tabs.map(isLive))
    await signIn(ada.context, 'eve')
    const follower = tabs.find((tab) => tab !== ada.leader())!
    await follower.evaluate(() => void window.move(9))
    await until('the follower is refused', async () => (await stateOf(follower)).status === 'closed')
  })

  test('a browser opens at most four streams: the fifth room polls and is present', async () => {
    const ada = await browserOf('ada')
    const rooms = Array.from({ length: 5 }, newRoom)
    const tabs: Page[] = []
    for (const room of rooms) tabs.push(await ada.tab(room))
    const state = async (tab: Page) => (await stateOf(tab)).status
    await until('all are settled', async () => {
      const states = await Promise.all(tabs.map(state))
      return states.filter((each) => each === 'live').length === 4 && states.includes('polling')
    })
    expect(ada.streams()).toBe(4)
    const bob = await bobIn(rooms[4]!)
    await bob.move(2)
    await sees(tabs[4]!, 'bob 2')
  })
})
