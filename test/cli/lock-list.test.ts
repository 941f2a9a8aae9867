import type { Connection } from 'hereabouts'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { locksIn } from '../../src/cli/locks.js'
import { countedClock } from '../support/counted-clock.js'
import { memoryServer, settled } from '../support/servers/memory-server.js'

/* The locks that `hereabouts watch` prints. The server and the changes of the room are those of the test. */

afterEach(() => vi.unstubAllGlobals())

const url = 'http://host/trpc'

async function watching(features = ['locks']) {
  const server = memoryServer()
  vi.stubGlobal('fetch', server.fetch)
  const clock = countedClock()
  let version = 0
  let locks: Record<string, number[]> = {}
  server.answers.poll = () => ({
    id: `epochepoch1.${++version}`,
    features,
    event: {
      type: 'snapshot',
      connections: Object.entries(locks).map(
        ([memberId, fences]) =>
          ({
            connectionId: memberId,
            memberId,
            profile: null,
            location: null,
            activity: 'active',
            at: version,
            locks: fences.map((fence) => ({ location: { sheet: 's', row: fence, col: 0 }, fence })),
          }) as unknown as Connection<never>,
      ),
    },
  })
  let changed = () => {}
  const room = { id: 'r', subscribe: (run: () => void) => ((changed = run), run(), () => {}) }
  const target = { url, header: {}, timeout: 5 }
  const hold = (now: typeof locks) => void (locks = now)
  return {
    server,
    clock,
    hold,
    list: () => locksIn(room as never, target, clock),
    async changes(now?: typeof locks) {
      if (now) hold(now)
      changed()
      await settled()
    },
  }
}

describe('the locks of a watched room', () => {
  test('each change of the room tells the locks that came and went, again and again', async () => {
    const { list, changes, hold, clock } = await watching()
    hold({ ada: [1] })
    const locks = await list()
    expect(locks.held).toEqual([{ memberId: 'ada', place: { sheet: 's', row: 1, col: 0 }, fence: 1 }])
    const told: string[] = []
    locks.follow((type, { memberId, fence }) => told.push(`${type} ${memberId} ${fence}`))
    await settled()
    for (const [now, expected] of [
      [{ ada: [1, 2] }, ['locked ada 2']],
      [{ ada: [2], bob: [3] }, ['unlocked ada 1', 'locked bob 3']],
      [{ bob: [2] }, ['unlocked ada 2', 'unlocked bob 3', 'locked bob 2']],
      [{}, ['unlocked bob 2']],
    ] as const) {
      told.length = 0
      await clock.advance(250)
      await changes(now as never)
      expect(told).toEqual(expected)
    }
    expect(locks.held).toEqual([])
  })

  test('changes that come together are read once, 250 ms after the reading before', async () => {
    const { list, changes, server, clock } = await watching()
    const locks = await list()
    locks.follow(() => {})
    await settled()
    expect(server.requests).toHaveLength(2)
    for (let i = 0; i < 20; i++) await changes()
    await clock.advance(249)
    expect(server.requests).toHaveLength(2)
    await clock.advance(1)
    expect(server.requests).toHaveLength(3)
    await clock.advance(10_000)
    expect([server.requests.length, clock.pending]).toEqual([3, 0])
  })

  test('a reading that fails keeps the locks, and the next change reads again', async () => {
    const { list, changes, hold, server, clock } = await watching()
    hold({ ada: [1] })
    const locks = await list()
    const told: string[] = []
    locks.follow((type, { fence }) => told.push(`${type} ${fence}`))
    await clock.advance(250)
    const { poll } = server.answers
    server.answers.poll = () => Promise.reject(new Error('network'))
    await changes({})
    expect([told, locks.held.length]).toEqual([[], 1])
    server.answers.poll = poll
    await clock.advance(250)
    await changes()
    expect(told).toEqual(['unlocked 1'])
  })

  test('a server without locks is asked once', async () => {
    const { list, changes, server, clock } = await watching([])
    ;(await list()).follow(() => {})
    for (let i = 0; i < 3; i++) {
      await clock.advance(250)
      await changes()
    }
    expect(server.requests).toHaveLength(1)
  })

  test('the locks are read from the position of the reading before', async () => {
    const { list, server } = await watching()
    const locks = await list()
    locks.follow(() => {})
    await settled()
    expect(server.inputs('getLocations')).toEqual([{ room: 'r' }, { room: 'r', lastEventId: 'epochepoch1.1' }])
  })
})
