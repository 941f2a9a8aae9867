import { applyEvent, type Connection, type RoomTypesWith } from 'hereabouts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openBroadcasts } from '../../src/client/broadcasts/room-broadcasts.js'
import { firstLoad } from '../../src/client/first-load.js'
import { detectSplitRoom } from '../../src/client/room/split-room.js'
import type * as Unheard from '../../src/client/store/unheard-error.js'
import { createStore } from '../../src/client/store/store.js'
import { colorOf } from '../../src/shared/colors.js'
import { LocationError } from '../../src/shared/errors.js'
import { liveRoom, one } from '../support/clients/memory-room.js'
import { recordCollections } from '../support/collections.js'

/* Each structure of the client that grows with what happens: it is grown a thousandfold, and its largest collection looked at. */

type Types = RoomTypesWith<{ location: { row: number } }>

let recorded: ReturnType<typeof recordCollections>
beforeEach(() => {
  recorded = recordCollections()
})
afterEach(() => recorded.stop())

const id = (version: number) => `epochepoch1.${version}`

describe('the state of a room', () => {
  /** Shows a room in which visitor after visitor enters, moves and leaves. */
  function visited(count: number, ends: 'left' | 'snapshot') {
    const store = createStore<Types>(new Date(0), () => {})
    let version = 1
    const apply = (event: object, sameId = false) => {
      const from = store.view.id
      const applied = applyEvent(store.view, sameId ? from! : id(++version), { from, ...event } as never)
      if (applied.outcome === 'shown') store.announce(applied.shifts)
    }
    apply({ type: 'snapshot', connections: [] })
    store.membersAt({ row: 0 })
    store.membersAt({ row: 0 }, { windows: 'all' })
    for (let i = 0; i < count; i++) {
      const visitor = one(`c${i}`, 1_000 + i, { location: { row: i } }) as unknown as Connection<Types>
      apply({ type: 'changes', entered: [visitor] })
      store.own({ connectionId: `c${i}`, memberId: `m-c${i}`, draft: { location: { row: -i } } })
      store.show()
      store.own({ connectionId: null, memberId: null, draft: null })
      store.show()
      if (ends === 'left') apply({ type: 'changes', left: [{ connectionId: `c${i}`, at: 2_000 + i, reason: 'left' }] })
      else apply({ type: 'snapshot', connections: [] })
    }
    return store
  }

  test.each(['left', 'snapshot'] as const)('the state of a room remembers nobody who came and went (%s)', (ends) => {
    const store = visited(200, ends)
    expect([store.members, store.view.connections.size, store.view.stale.size]).toEqual([[], 0, 0])
    expect(recorded.largest()).toBeLessThan(8)
  })

  test('the state of a room forgets listeners, subscribers and expectations that have ended', async () => {
    const store = createStore<Types>(new Date(0), () => {})
    const waits: Promise<unknown>[] = []
    for (let i = 0; i < 1_000; i++) {
      store.on('moved', () => {})()
      store.subscribe(() => {})()
      waits.push(store.expect(() => true))
      waits.push(store.expect(() => new Error('for the test')).catch(() => {}))
    }
    await Promise.all(waits)
    expect(recorded.largest()).toBeLessThan(8)
  })
})

test('a room remembers the last 256 broadcasts only, and hears each of them once', () => {
  const store = createStore<Types>(new Date(0), () => {})
  const room = { room: 'r', store, transport: {}, pace: { timing: {} }, presence: { key: undefined } }
  openBroadcasts(room as never, { link: { state: 'live' } } as never, firstLoad)
  const heard: unknown[] = []
  store.on('broadcast note', ({ payload }) => heard.push(payload))
  const say = (nonce: number) => {
    const item = { name: 'note', payload: nonce, memberId: 'm', connectionId: 'c', at: 1, after: 0, nonce: `${nonce}` }
    store.emit('broadcast', { type: 'broadcast', items: [item] } as never)
  }
  for (let i = 0; i < 2_000; i++) say(i)
  expect(recorded.largest()).toBeLessThan(300)
  expect(heard).toHaveLength(2_000)
  for (let i = 1_999; i > 1_744; i--) say(i)
  expect(heard).toHaveLength(2_000)
})

test('the colours of a room remember the last thousand members who left', () => {
  for (let crowd = 0; crowd < 5; crowd++)
    colorOf(
      'host',
      Array.from({ length: 500 }, (_, i) => ({ memberId: i === 0 ? 'host' : `crowd ${crowd} ${i}` })),
    )
  // A thousand, and the five hundred who leave at that moment.
  expect(recorded.largest()).toBeLessThan(1_600)
})

describe('the detection of a split room', () => {
  test('the detection of a split room remembers the last 32 superseded epochs only', () => {
    const begin = (count: number) => {
      const take = detectSplitRoom(() => 10_000)
      const epochs = Array.from({ length: count }, (_, i) => `e${i}`)
      const tell = (shown: string, epoch: string) => take({ from: 'snapshot', epoch, shown, now: 0 })
      for (let i = 1; i < count; i++) tell(epochs[i - 1]!, epochs[i]!)
      return [tell(epochs.at(-1)!, epochs[0]!), tell(epochs[0]!, epochs[1]!)]
    }
    expect(begin(20)).toEqual([false, true])
    expect(begin(60)).toEqual([false, false])
  })
})

let copies = 0

/** Loads a copy of the module, which has not written anything yet. */
async function freshWarn() {
  const copy = `../../src/client/store/unheard-error.ts?copy${(copies += 1)}`
  return ((await import(copy)) as typeof Unheard).warn
}

test('a warning is written once for each message, and only the first hundred messages are remembered', async () => {
  const warn = await freshWarn()
  const written = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const say = (i: number) => warn(new LocationError('network', `No answer after ${i} ms.`))
  for (let i = 0; i < 500; i++) say(i)
  expect(written).toHaveBeenCalledTimes(500)
  expect(recorded.largest()).toBe(100)
  say(0)
  expect(written).toHaveBeenCalledTimes(500)
  say(499)
  expect(written).toHaveBeenCalledTimes(501)
  written.mockRestore()
})

test('in production, only a misconfigured server is written to the console', async () => {
  vi.resetModules()
  vi.stubEnv('NODE_ENV', 'production')
  const { warn } = await import('../../src/client/store/unheard-error.js')
  const written = vi.spyOn(console, 'warn').mockImplementation(() => {})
  warn(new LocationError('network', 'No answer.'))
  warn(new LocationError('misconfigured', 'Two servers.'))
  expect(written.mock.calls).toEqual([['hereabouts: Two servers. (misconfigured)']])
  written.mockRestore()
  vi.unstubAllEnvs()
})

test('a client remembers no room that was left, and a room no handle', async () => {
  await using opened = await liveRoom()
  for (let i = 0; i < 30; i++) {
    await opened.client.join('r').leave()
    await opened.client.watch(`other ${i}`).leave()
  }
  expect(opened.room.status.state).toBe('live')
  expect(recorded.largest()).toBeLessThan(20)
})
