import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eagerLocker } from '../support/clients/eager-locker.js'
import { tcpProxy } from '../support/network/tcp-proxy.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { lockMember, lockNode } from '../support/servers/lock-node.js'
import { until } from '../support/until.js'

/* Locks and broadcasts of real server processes: during a deploy, and with two processes over one Redis. */

const place = { sheet: 'Q3', row: 1, col: 1 }
/** A short drain. Locks last longer than a deploy on a busy machine, which can take longer than the default lockMs. */
const timing = { drainMs: 200, lockMs: 90_000, leaseMs: 90_000 }

describe.skipIf(skipWithoutRedis)('locks of server processes', { timeout: 120_000 }, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await redisServer()
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())

  /** Locks a place, replaces the server process, and returns the lock and the grants of other members meanwhile. */
  async function deploy(redisUrl: string) {
    await using old = await lockNode({ redisUrl, timing })
    // The new process starts first: on a busy machine the start can take longer than a lock lasts.
    await using next = await lockNode({ redisUrl, timing })
    await using line = await tcpProxy(old.port)
    const url = old.url.replace(String(old.port), String(line.port))
    await using ada = await lockMember(url, 'ada')
    await using bob = await lockMember(url, 'bob')
    const lock = (await ada.room.lock(place))!
    const { fence } = lock
    await until('bob sees the lock of ada', () => bob.room.lockedBy(place)?.memberId === 'ada')
    const others = eagerLocker(bob.room, place)
    await old.terminate()
    line.target = next.port
    await using eve = await lockMember(url, 'eve')
    const late = eagerLocker(eve.room, place)
    await until('all clients are live and show ada as the holder', () =>
      [ada, bob, eve].every(({ room }) => room.status.state === 'live' && room.lockedBy(place)?.memberId === 'ada'),
    )
    await until('ada has a new fence from the new process', () => redisUrl !== '' || lock.fence > fence)
    await Promise.all([others.end(), late.end()])
    const isLost = lock.signal.aborted
    const got = [...others.gotAt, ...late.gotAt]
    const after = lock.fence
    await lock.release()
    await until('bob gets the lock after its release', async () => (await bob.room.lock(place)) !== null)
    return { before: fence, after, isLost, got }
  }

  test('during a deploy of a server with rooms in memory, a locked place is granted to nobody else, and its holder keeps it by a claim', async () => {
    const { before, after, isLost, got } = await deploy('')
    expect({ isLost, got }).toEqual({ isLost: false, got: [] })
    expect(after).toBeGreaterThan(before)
  })

  test('during a deploy of a server with rooms in Redis, a locked place stays with its holder', async () => {
    const { before, after, isLost, got } = await deploy(redis.url)
    expect({ isLost, got }).toEqual({ isLost: false, got: [] })
    expect(after).toBe(before)
  })

  test('two processes over one Redis grant a place to one member only, and deliver broadcasts in one order', async () => {
    await using first = await lockNode({ redisUrl: redis.url })
    await using second = await lockNode({ redisUrl: redis.url })
    await using ada = await lockMember(first.url, 'ada', 'two')
    await using bob = await lockMember(second.url, 'bob', 'two')
    await using eve = await lockMember(second.url, 'eve', 'two')
    await using eveElsewhere = await lockMember(first.url, 'eve', 'two')

    const [one, other] = await Promise.all([ada.room.lock(place), bob.room.lock(place)])
    expect([one, other].filter(Boolean)).toHaveLength(1)
    const holder = one ? ada : bob
    const memberId = one ? 'ada' : 'bob'
    for (const { room } of [ada, bob, eve])
      await until(`${memberId} is shown as the holder`, () => room.lockedBy(place)?.memberId === memberId)
    await (one ?? other)!.release()
    const next = (await (holder === ada ? bob : ada).room.lock(place))!
    expect(next.fence).toBeGreaterThan((one ?? other)!.fence)

    const heard = [ada, bob, eve, eveElsewhere].map(({ room }) => {
      const notes: string[] = []
      room.onBroadcast('note', ({ payload, memberId }) => notes.push(`${memberId}: ${payload}`))
      return notes
    })
    const [toAda, toBob, toEve, toEveElsewhere] = heard as [string[], string[], string[], string[]]
    for (let n = 0; n < 5; n++) {
      expect(await ada.room.broadcast('note', `a${n}`)).toBe(true)
      expect(await bob.room.broadcast('note', `b${n}`)).toBe(true)
    }
    expect(await bob.room.broadcast('note', 'for eve', { to: 'eve' })).toBe(true)
    const expected = [0, 1, 2, 3, 4].flatMap((n) => [`ada: a${n}`, `bob: b${n}`])
    for (const notes of [toEve, toEveElsewhere]) await until('eve heard all', () => notes.includes('bob: for eve'))
    expect(toEve).toEqual([...expected, 'bob: for eve'])
    expect(toEveElsewhere).toEqual(toEve)
    await until('all broadcasts have arrived', () => toAda.length === 5 && toBob.length === 5)
    expect(toAda).toEqual([0, 1, 2, 3, 4].map((n) => `bob: b${n}`))
    expect(toBob).toEqual([0, 1, 2, 3, 4].map((n) => `ada: a${n}`))
  })
})
