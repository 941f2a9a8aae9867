import { describe, expect, test } from 'vitest'
import { cell, id, liveRoom, memoryClient, one } from '../../support/clients/memory-room.js'
import { deferred, MemoryRefusal, settled } from '../../support/servers/memory-server.js'

/* Rooms in which something happens a second time. */

const posts = (server: Awaited<ReturnType<typeof liveRoom>>['server']) => server.inputs('postLocation')

describe('a second join of an open room', () => {
  test.each([
    ['its profile', { profile: { name: 'Ada' } }, { profile: { name: 'Ada' } }],
    ['the removal of the profile', { profile: null }, { profile: null }],
    ['its location', { location: cell(3) }, { location: cell(3) }],
    ['both', { location: cell(3), profile: { name: 'Ada' } }, { location: cell(3), profile: { name: 'Ada' } }],
  ])('a second join of an open room posts %s', async (_, options, posted) => {
    await using opened = await liveRoom()
    opened.client.join('r', options)
    await opened.clock.advance(100)
    expect(posts(opened.server)).toHaveLength(2)
    expect(posts(opened.server).at(-1)).toMatchObject(posted)
  })

  test('a second join of an open room without a profile or a location posts nothing', async () => {
    await using opened = await liveRoom()
    opened.client.join('r')
    await opened.clock.advance(100)
    expect(posts(opened.server)).toHaveLength(1)
  })

  test('joining and watching the same room are two rooms with a stream each', async () => {
    await using opened = await liveRoom()
    const watched = opened.client.watch('r')
    await settled()
    expect(opened.server.open).toHaveLength(2)
    await watched.leave()
    expect(opened.server.open).toHaveLength(1)
    expect(opened.room.status.state).toBe('live')
  })

  test('a room that was left is joined anew with another connection key, and shows nobody at first', async () => {
    await using opened = await liveRoom([one('ada')])
    await opened.room.leave()
    const again = opened.client.join('r')
    expect(again.members).toEqual([])
    await settled()
    const [before, now] = posts(opened.server)
    expect(now).toMatchObject({ seq: 1, memberKey: before!['memberKey'] })
    expect(now!['connectionKey']).not.toBe(before!['connectionKey'])
  })
})

describe('`client.reconnect()`', () => {
  test('`client.reconnect()` replaces the stream of each open room, each time, with fresh headers', async () => {
    let token = 'one'
    await using opened = await liveRoom([], { headers: () => ({ authorization: token }) })
    opened.client.watch('s')
    await settled()
    for (const next of ['two', 'three']) {
      token = next
      const before = opened.server.open
      opened.client.reconnect()
      await settled()
      expect(before.map(({ isClosed }) => isClosed)).toEqual([true, true])
      expect(opened.server.open.map(({ headers }) => headers['authorization'])).toEqual([next, next])
    }
  })

  test('`client.reconnect()` does not open a room that was left', async () => {
    await using opened = await liveRoom()
    await opened.room.leave()
    opened.client.reconnect()
    await settled()
    expect(opened.server.open).toEqual([])
  })
})

describe('a sign-out or a loss of rights that a post finds', () => {
  test.each([
    ['unauthorized', 401],
    ['forbidden', 403],
  ])('a post that is refused as `%s` replaces the stream of the previous rights', async (code, status) => {
    await using opened = await liveRoom()
    const { stream } = opened.server
    opened.server.answers.post = () => {
      throw new MemoryRefusal(`${code}: No longer.`, status)
    }
    opened.room.post(cell(1))
    await opened.clock.advance(1_000)
    expect(stream.isClosed).toBe(true)
    expect(opened.server.open).toHaveLength(1)
  })

  test('a post that is refused as `bad-input` keeps the stream', async () => {
    await using opened = await liveRoom()
    const { stream } = opened.server
    opened.server.answers.post = () => {
      throw new MemoryRefusal('bad-input: No.')
    }
    opened.room.post(cell(1))
    await opened.clock.advance(1_000)
    expect([stream.isClosed, opened.server.streams.length]).toEqual([false, 1])
  })

  test('a post that is refused before any was accepted keeps the stream', async () => {
    await using opened = memoryClient()
    opened.server.answers.post = () => {
      throw new MemoryRefusal('forbidden: No.', 403)
    }
    const room = opened.client.join('r')
    await settled()
    expect([room.status.postError?.code, opened.server.streams.length]).toEqual(['forbidden', 1])
  })
})

describe('a room that was left', () => {
  test('a room that was left shows neither its members nor those that were stale after a restart', async () => {
    await using opened = await liveRoom([one('ada'), one('bob')])
    await opened.server.stream.cut()
    await opened.clock.advance(1_000)
    await opened.server.stream.hello({}, id(0, 'epochepoch2'))
    await opened.server.stream.snapshot(id(1, 'epochepoch2'), one('bob', 2_000_000))
    expect(opened.names()).toEqual(['m-ada', 'm-bob'])
    await opened.room.leave()
    expect([opened.room.members, opened.room.others, opened.room.self]).toEqual([[], [], null])
  })

  test('the answer to a post that was in flight when its room was left is ignored', async () => {
    await using opened = await liveRoom()
    const answer = deferred<object>()
    opened.server.answers.post = () => answer.promise as never
    opened.room.post(cell(1))
    await opened.clock.advance(100)
    const left = opened.room.leave()
    answer.resolve({ outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq: 2 })
    await left
    await settled()
    expect([opened.room.self, opened.room.members]).toEqual([null, []])
    // Nor is the failure of a post in flight reported, or the post sent again.
    const before = opened.server.requests.length
    await opened.clock.advance(100_000)
    expect(opened.server.requests.length).toBe(before)
  })
})

describe('two restarts of a server', () => {
  test('the members of before the first of two restarts are patiently awaited after the second restart, too', async () => {
    await using opened = await liveRoom([one('ada')])
    const left: string[] = []
    opened.room.on('left', ({ member, reason }) => left.push(`${member.memberId} ${reason}`))
    const restart = async (epoch: string) => {
      await opened.server.stream.cut()
      await opened.clock.advance(3_000)
      await opened.server.stream.hello({}, id(0, epoch))
      await opened.server.stream.snapshot(id(1, epoch))
    }
    await restart('epochepoch2')
    for (let s = 0; s < 3; s++) {
      await opened.clock.advance(8_000)
      await opened.server.stream.event(id(1, 'epochepoch2'), { type: 'beat', count: 0, digest: '0'.repeat(16) })
    }
    await restart('epochepoch3')
    const wait = async (s: number) => {
      for (let passed = 0; passed < s; passed += 5) {
        await opened.clock.advance(5_000)
        await opened.server.stream.event(id(1, 'epochepoch3'), { type: 'beat', count: 0, digest: '0'.repeat(16) })
      }
    }
    await wait(35)
    expect([left, opened.names()]).toEqual([[], ['m-ada']])
    await wait(10)
    expect([left, opened.names()]).toEqual([['m-ada lost'], []])
  })

  test('after a restart and after a second one, our state is posted again', async () => {
    await using opened = await liveRoom([one('ada')])
    for (const epoch of ['epochepoch2', 'epochepoch3']) {
      const before = posts(opened.server).length
      await opened.server.stream.cut()
      await opened.clock.advance(3_000)
      await opened.server.stream.hello({}, id(0, epoch))
      await opened.server.stream.snapshot(id(1, epoch), one('bob'))
      await opened.clock.advance(1_100)
      expect(posts(opened.server).length).toBeGreaterThan(before)
    }
  })
})

describe('a client that polls', () => {
  const other = { id: id(9), event: { type: 'changes' as const, from: id(8) } }

  test('polls after a divergence ask for a snapshot until one arrives, and then resume from it', async () => {
    await using opened = memoryClient()
    opened.server.answers.poll = () => ({ id: id(1), event: { type: 'snapshot', connections: [] } })
    const room = opened.client.join('r')
    await settled()
    await opened.clock.advance(15_000)
    expect(room.status.state).toBe('polling')
    const asked = () => opened.server.inputs('getLocations').map(({ lastEventId }) => lastEventId)
    const before = asked().length
    opened.server.answers.poll = () => other
    while (asked().length < before + 3) await opened.clock.advance(1_000)
    opened.server.answers.poll = () => ({ id: id(9), event: { type: 'snapshot', connections: [one('ada')] } })
    for (let s = 0; s < 120 && asked().at(-1) !== id(9); s++) await opened.clock.advance(1_000)
    const ids = asked().slice(before)
    expect([ids[0], ids.at(-1)]).toEqual([id(1), id(9)])
    // Until the snapshot, every poll asks for one.
    expect(new Set(ids.slice(1, -1))).toEqual(new Set([undefined]))
  })

  test('streams that are blocked a second time lead to polls again', async () => {
    await using opened = memoryClient()
    opened.server.answers.poll = () => ({ id: id(1), event: { type: 'snapshot', connections: [] } })
    const room = opened.client.join('r')
    for (let time = 0; time < 3; time++) {
      await settled()
      const before = opened.server.inputs('getLocations').length
      // The stream has no hello for a heartbeat interval, so streams count as blocked.
      await opened.clock.advance(15_000)
      expect(room.status.state).toBe('polling')
      expect(opened.server.inputs('getLocations').length).toBeGreaterThan(before)
      const streams = opened.server.streams.length
      while (opened.server.streams.length === streams) await opened.clock.advance(1_000)
      await opened.server.stream.hello()
      expect(room.status.state).toBe('live')
      const polls = opened.server.inputs('getLocations').length
      await opened.clock.advance(9_000)
      expect(opened.server.inputs('getLocations').length).toBe(polls)
      opened.client.reconnect()
    }
  })
})
