import { applyEvent, LocationError, View, type Connection, type LocationEvent } from 'hereabouts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { cut, type Failure } from '../../../src/client/connection/failure.js'
import { openTabStream } from '../../../src/client/connection/shared-tab-stream.js'
import type { StreamListener } from '../../../src/client/connection/stream-types.js'
import type { CellTypes } from '../../support/cell-types.js'
import { fakeTabs } from '../../support/browser/fake-tabs.js'
import { id, one } from '../../support/clients/memory-room.js'
import { countedClock } from '../../support/counted-clock.js'
import { settled } from '../../support/servers/memory-server.js'

/* Several tabs in one process, with the locks and channels of test/support/browser/fake-tabs.ts. In Chromium: test/browser. */

type Event = LocationEvent<CellTypes>
const beatMs = 10_000
const hello: Event = { type: 'hello', protocol: 1, connectionId: null, beatMs, leaseMs: 30_000, postMs: 50 }

let browser: ReturnType<typeof fakeTabs>
let clock: ReturnType<typeof countedClock>
let streams: { input: object; listener: StreamListener<CellTypes>; isClosed: boolean }[]
beforeEach(() => {
  browser = fakeTabs()
  clock = countedClock()
  streams = []
  vi.stubGlobal('document', { baseURI: 'http://host/page' })
  vi.stubGlobal('navigator', { locks: browser.locks })
  vi.stubGlobal('BroadcastChannel', browser.BroadcastChannel)
})
afterEach(() => vi.unstubAllGlobals())

const openStreams = () => streams.filter(({ isClosed }) => !isClosed)

type TabOptions = { memberId?: string | null; doubted?: boolean; scope?: unknown[]; room?: string; url?: string }

/** Opens the stream of one tab. */
async function tab({ memberId = 'm', doubted = false, scope = [], room = 'r', url = '/trpc' }: TabOptions = {}) {
  const view = new View<CellTypes>()
  const heard: string[] = []
  const failures: Failure[] = []
  const close = openTabStream<CellTypes>(
    {
      url,
      scope,
      clock,
      cut,
      beatMs,
      view,
      doubted,
      connectionKey: 'key',
      whoAmI: async () => memberId,
      openStream(input, listener) {
        const stream = { input, listener, isClosed: false }
        streams.push(stream)
        return () => void (stream.isClosed = true)
      },
    },
    { room },
    {
      opened: () => void heard.push('opened'),
      heard: () => {},
      event(eventId, event) {
        heard.push(event.type)
        applyEvent(view, eventId, event)
      },
      ended: (failure) => void failures.push(failure),
    },
  )
  await settled()
  const names = () => [...view.connections.keys()]
  return { view, heard, failures, close, names }
}

/** Tells the leader's stream an event. */
const tell = async (eventId: string, event: Event) => {
  openStreams()[0]!.listener.event(eventId, event)
  await settled()
}
const snapshot = (...connections: Connection<CellTypes>[]): Event => ({ type: 'snapshot', connections })
const entered = (name: string, from: string): Event => ({ type: 'changes', from, entered: [one(name)] })

describe('tabs of one member in one room', () => {
  test('tabs of one member share one stream, which carries no connection key', async () => {
    const [leader, follower] = [await tab(), await tab()]
    expect(streams.map(({ input }) => input)).toEqual([{ room: 'r', lastEventId: undefined }])
    await tell(id(0), hello)
    await tell(id(1), snapshot(one('ada')))
    await tell(id(2), entered('bob', id(1)))
    await tell(id(3), { type: 'beat', count: 2, digest: '' })
    for (const each of [leader, follower]) {
      expect(each.names()).toEqual(['ada', 'bob'])
      expect(each.heard.slice(-4)).toEqual(['hello', 'snapshot', 'changes', 'beat'])
    }
  })

  test('a tab that is opened later gets hello and snapshot from the leader, at the position of the leader', async () => {
    await tab()
    await tell(id(0), hello)
    await tell(id(1), snapshot(one('ada')))
    await tell(id(2), entered('bob', id(1)))
    const late = await tab()
    expect([late.names(), late.view.id, late.heard]).toEqual([['ada', 'bob'], id(2), ['opened', 'hello', 'snapshot']])
    await tell(id(3), entered('cy', id(2)))
    expect(late.names()).toEqual(['ada', 'bob', 'cy'])
    expect(streams).toHaveLength(1)
  })

  test('events for a new tab do not reach the others', async () => {
    const leader = await tab()
    await tell(id(0), hello)
    await tell(id(1), snapshot())
    const second = await tab()
    const before = [leader.heard.length, second.heard.length]
    await tab()
    expect([leader.heard.length, second.heard.length]).toEqual(before)
  })

  test('the next tab leads when the leader closes, and resumes from its own position', async () => {
    const [leader, follower] = [await tab(), await tab()]
    await tell(id(0), hello)
    await tell(id(1), snapshot(one('ada')))
    leader.close()
    await settled()
    expect(streams.map(({ isClosed, input }) => [isClosed, input])).toEqual([
      [true, { room: 'r', lastEventId: undefined }],
      [false, { room: 'r', lastEventId: id(1) }],
    ])
    await tell(id(1), hello)
    await tell(id(2), entered('bob', id(1)))
    expect([follower.names(), leader.heard.includes('changes')]).toEqual([['ada', 'bob'], false])
  })

  test('a tab that has closed keeps no channel, lock, timer or stream', async () => {
    const tabs = [await tab(), await tab(), await tab({ memberId: null })]
    await tell(id(0), hello)
    for (const { close } of tabs) close()
    await settled()
    expect([browser.channels(), browser.names(), clock.pending, openStreams()]).toEqual([[], [], 0, []])
  })

  test('a `bye` ends the stream of the leader only, whose place the next tab takes', async () => {
    const [leader, follower] = [await tab(), await tab()]
    await tell(id(0), hello)
    await tell(id(0), { type: 'bye', reason: 'rotated' })
    expect([leader.heard.at(-1), follower.heard.at(-1)]).toEqual(['bye', 'hello'])
  })

  test.each<[string, TabOptions]>([
    ['another member', { memberId: 'm2' }],
    ['another room', { room: 's' }],
    ['another path, transformer or `share`', { scope: ['other'] }],
    ['another server', { url: '/other' }],
  ])('a tab with %s has a stream of its own', async (_, options) => {
    const [first, second] = [await tab(), await tab(options)]
    expect(openStreams()).toHaveLength(2)
    await tell(id(0), hello)
    expect([first.heard, second.heard]).toEqual([['hello'], []])
  })
})

describe('a leader that does not answer', () => {
  test('a tab steals the lock of a leader that is silent for a tenth of a heartbeat interval', async () => {
    const leader = await tab()
    await tell(id(0), hello)
    browser.freeze(browser.channels()[0]!)
    const other = await tab()
    await clock.advance(beatMs / 10 - 1)
    expect(streams).toHaveLength(1)
    await clock.advance(1)
    await settled()
    expect(streams).toHaveLength(2)
    expect(leader.failures.map(({ error }) => error.message)).toEqual([
      expect.stringContaining('another tab took over'),
    ])
    expect([other.failures, clock.pending]).toEqual([[], 0])
  })

  test('a tab that gets no lock has a stream of its own, with its key, and leaves the channel', async () => {
    browser.locks.refusal = new DOMException('sandboxed', 'SecurityError')
    const refused = await tab()
    expect(streams.map(({ input }) => input)).toEqual([{ room: 'r', connectionKey: 'key' }])
    expect([browser.channels(), clock.pending, refused.failures]).toEqual([[], 0, []])
  })

  test('a leader whose stream is old ends it when another tab gets no answers, and a young one does not', async () => {
    const leader = await tab()
    await tell(id(0), hello)
    await tab({ doubted: true })
    expect(leader.failures).toEqual([])
    await clock.advance(beatMs / 2 + 1)
    await tab()
    expect(leader.failures).toEqual([])
    await tab({ doubted: true })
    expect(leader.failures.map(({ error }) => error.message)).toEqual([expect.stringContaining('no answer')])
  })
})

describe('the failure of the stream of a leader', () => {
  const failure: Failure = {
    error: new LocationError('unavailable', 'The server drains.', { retryAfterMs: 700 }),
    retry: true,
    obstructed: true,
    answered: true,
  }
  const fail = async (more: Partial<Failure> = {}) => {
    openStreams()[0]!.listener.ended({ ...failure, ...more })
    await settled()
  }

  test('a failure before the hello fails the other tabs, too, with the same error', async () => {
    const [leader, follower] = [await tab(), await tab()]
    await fail()
    for (const { failures } of [leader, follower])
      expect(failures).toMatchObject([
        {
          error: { code: 'unavailable', message: 'The server drains.', retryAfterMs: 700 },
          retry: true,
          obstructed: true,
          answered: true,
        },
      ])
    expect(follower.failures[0]!.error).toBeInstanceOf(LocationError)
  })

  test('a failure after the hello, and a refusal, concern the leader alone', async () => {
    const [leader, follower] = [await tab(), await tab()]
    await fail({ retry: false })
    expect([leader.failures.length, follower.failures.length]).toEqual([1, 0])
    await tell(id(0), hello)
    await fail()
    expect([leader.failures.length, follower.failures.length]).toEqual([2, 0])
  })
})

describe('a tab without a member id', () => {
  test('a tab without a member id has a stream of its own, with its key and a slot', async () => {
    await tab({ memberId: null })
    expect(streams.map(({ input }) => input)).toEqual([{ room: 'r', connectionKey: 'key' }])
    expect([browser.names(), browser.channels()]).toEqual([['hereabouts http://host stream 0'], []])
  })

  test('four streams of a browser have a slot, a fifth one ends as blocked, and a closed one frees its slot', async () => {
    const tabs = []
    for (let i = 0; i < 4; i++) tabs.push(await tab({ memberId: null }))
    const fifth = await tab({ memberId: null })
    expect(fifth.failures).toMatchObject([{ obstructed: true, retry: true }])
    expect(openStreams()).toHaveLength(4)
    tabs[2]!.close()
    await settled()
    expect((await tab({ memberId: null })).failures).toEqual([])
    expect(openStreams()).toHaveLength(4)
  })

  test('over HTTP/2 and HTTP/3, streams need no slot', async () => {
    vi.stubGlobal('performance', {
      now: () => 0,
      getEntriesByType: (type: string) =>
        type === 'resource'
          ? [
              { name: 'http://other/x', nextHopProtocol: 'http/1.1' },
              { name: 'http://host/x', nextHopProtocol: 'h2' },
              { name: 'http://host/y', nextHopProtocol: '' },
            ]
          : [{ name: 'http://host/page', nextHopProtocol: 'http/1.1' }],
    })
    for (let i = 0; i < 6; i++) await tab({ memberId: null })
    expect([openStreams().length, browser.names()]).toEqual([6, []])
  })

  test('a tab waits a fifth of a heartbeat interval for its member id, and no longer after it has closed', async () => {
    const opened: object[] = []
    const open = () =>
      openTabStream<CellTypes>(
        {
          url: '/trpc',
          scope: [],
          clock,
          cut,
          beatMs,
          view: new View(),
          doubted: false,
          connectionKey: 'key',
          whoAmI: (patience) => patience.then(() => null),
          openStream(input) {
            opened.push(input)
            return () => {}
          },
        },
        { room: 'r' },
        { opened() {}, heard() {}, event() {}, ended() {} },
      )
    open()
    const close = open()
    close()
    expect(clock.pending).toBe(1)
    await clock.advance(beatMs / 5 - 1)
    expect(opened).toEqual([])
    await clock.advance(1)
    await settled()
    expect([opened, clock.pending]).toEqual([[{ room: 'r', connectionKey: 'key' }], 0])
  })
})
