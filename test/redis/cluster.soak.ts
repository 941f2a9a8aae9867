import { setTimeout as passing } from 'node:timers/promises'
import { createCluster } from 'redis'
import type { Logger } from 'hereabouts/server'
import { redisBackend } from 'hereabouts/server/redis'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keysOf, revocationsKey } from '../../src/server/backends/redis/keys.js'
import { Crowd } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import { readiness, tryToPost, type SharedNode } from '../support/redis/nodes.js'
import { redisCluster, type RedisCluster } from '../support/redis/redis-cluster.js'
import { skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { eventsOf } from '../support/network/stream-text.js'
import { until } from '../support/until.js'

/* A cluster of three masters, one of which is down: only the rooms on that master are unreachable. */

const scale = 1 / 20

describe.skipIf(skipWithoutRedis)('a cluster master that is down', { timeout: 60_000 }, () => {
  const ends = new Ends()
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = ends.use(await redisCluster('--cluster-require-full-coverage', 'no'))
  })
  afterAll(() => ends.end())

  async function node(
    own: Ends,
    timing: { scale: number },
    beforeItServes = () => {},
    logger?: Logger,
  ): Promise<SharedNode['served']> {
    const client = createCluster({ rootNodes: cluster.nodes.map(({ url }) => ({ url })) })
    client.on('error', () => {})
    await client.connect()
    own.use({ [Symbol.asyncDispose]: async () => client.destroy() })
    beforeItServes()
    const backend = redisBackend({ client, pulseMs: 50, timeoutMs: 250 })
    return own.use(await serveLocations({ timing, backend, ...(logger && { logger }) }))
  }

  /** Returns a room that is stored on the given master, and one that is not. */
  function roomsBy(away: RedisServer, name: string): [lost: string, spared: string] {
    const names = Array.from({ length: 100 }, (_, i) => `${name} ${i}`)
    const isAway = (room: string) => cluster.ownerOf(keysOf(room, 'hereabouts')[0]!) === away
    return [names.find(isAway)!, names.find((room) => !isAway(room))!]
  }

  test('a cluster master that is down makes only its own rooms unreachable', async () => {
    const own = new Ends()
    try {
      const served = await node(own, { scale })
      // This master also stores the revocations. Without them, the other rooms still work.
      const away = cluster.ownerOf(revocationsKey('hereabouts'))
      const [lost, spared] = roomsBy(away, 'room')
      const seats = [served.url, served.url, served.url]
      const losers = own.use(await Crowd.gather(seats, lost))
      const others = own.use(await Crowd.gather(seats, spared))
      const [loser, other] = [await eventsOf(served.url, lost), await eventsOf(served.url, spared)]

      await away.kill()
      const degradedMs = await loser.until('"type":"degraded"', 10_000 * scale + 1_000)
      const began = performance.now()
      expect(await tryToPost(served, lost)).toBe(503)
      const refusedMs = Math.round(performance.now() - began)
      expect(refusedMs).toBeLessThan(1_000)
      // For two leases, the clients in the other rooms notice nothing of the outage.
      await others.stroll(60_000 * scale)
      await others.agree()
      expect(other.text).not.toContain('degraded')
      expect(new Set(losers.statuses)).toEqual(new Set(['degraded']))
      // The server stays ready: no other server could reach that master either.
      expect(await readiness(served)).toBe(200)

      await away.start()
      const healedMs = await losers.agree('the lost room is back', 12_000)
      console.log(`a master away: ${JSON.stringify({ degradedMs, refusedMs, healedMs })}`)
      expect(others).toMatchObject({ left: 0, stepsBack: 0 })
      expect(losers.left).toBe(0)
      loser.close()
      other.close()
    } finally {
      await own.end()
    }
  })

  test('a cluster master that is down delays revocation in its own rooms until it is back; other rooms revoke at once', async () => {
    const own = new Ends()
    const { hub, url } = await node(own, { scale: 1 })
    const revoking = cluster.ownerOf(revocationsKey('hereabouts'))
    const away = cluster.nodes.find((each) => each !== revoking)!
    const [lost, spared] = roomsBy(away, 'hall')
    const isIn = async (room: string) => (await hub.room(room).members()).some(({ memberId }) => memberId === 'ada')
    try {
      for (const room of [lost, spared]) await hub.room(room).post({ memberId: 'ada', location: null })
      away.signal('SIGSTOP')
      await until('the outage of the master is known', async () => (await tryToPost({ url }, lost)) === 503)
      await hub.revoke('ada')
      expect([await isIn(lost), await isIn(spared)]).toEqual([true, false])
      away.signal('SIGCONT')
      await until('the member is revoked in the lost room too', async () => !(await isIn(lost)), 5_000)
    } finally {
      away.signal('SIGCONT')
      await own.end()
    }
  })

  test('a cluster master that refuses writes degrades only its own rooms, and is logged in one line', async () => {
    const own = new Ends()
    const errors: string[] = []
    const error = (message: string, details?: { error?: unknown }) =>
      void errors.push(`${message}: ${(details?.error as Error | undefined)?.message}`)
    const served = await node(own, { scale: 1 }, () => {}, { info() {}, warn() {}, error })
    const revoking = cluster.ownerOf(revocationsKey('hereabouts'))
    const away = cluster.nodes.find((each) => each !== revoking)!
    const [lost, spared] = roomsBy(away, 'writing')
    try {
      for (const room of [lost, spared]) await until(room, async () => (await tryToPost(served, room)) === 200)
      const [loser, other] = [await eventsOf(served.url, lost), await eventsOf(served.url, spared)]
      away.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')
      await loser.until('"type":"degraded"', 5_000)
      expect(await tryToPost(served, lost)).toBe(503)
      expect(await tryToPost(served, spared)).toBe(200)
      expect(await readiness(served)).toBe(200)
      expect(other.text).not.toContain('degraded')
      const refusals = errors.filter((line) => line.includes('NOREPLICAS'))
      expect(refusals, errors.join('\n')).toEqual([expect.stringMatching(/^a part of the backend is out of reach: /)])
      away.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')
      await until('posts are accepted there', async () => (await tryToPost(served, lost)) === 200, 5_000)
      loser.close()
      other.close()
    } finally {
      away.cli('CONFIG', 'SET', 'min-replicas-to-write', '0')
      await own.end()
    }
  })

  test('a server that starts while the cluster master with the revocations is down does not become ready', async () => {
    const own = new Ends()
    const away = cluster.ownerOf(revocationsKey('hereabouts'))
    const [, spared] = roomsBy(away, 'dawn')
    try {
      const served = await node(own, { scale: 1 }, () => away.signal('SIGSTOP'))
      for (let i = 0; i < 10; i++) {
        expect(await tryToPost(served, spared)).toBe(503)
        expect(await readiness(served)).toBe(503)
        await passing(50)
      }
      away.signal('SIGCONT')
      await until('the server has read the revocations', async () => (await readiness(served)) === 200, 5_000)
      expect(await tryToPost(served, spared)).toBe(200)
    } finally {
      away.signal('SIGCONT')
      await own.end()
    }
  })

  test('a server closes although a cluster master is down', async () => {
    const own = new Ends()
    const served = await node(own, { scale: 1 })
    const [away] = cluster.nodes
    try {
      const [lost] = roomsBy(away!, 'closing')
      await served.hub.room(lost).post({ memberId: 'ada', location: null })
      away!.signal('SIGSTOP')
      const began = performance.now()
      await served.close()
      expect(performance.now() - began).toBeLessThan(2_000)
    } finally {
      away!.signal('SIGCONT')
      await own.end()
    }
  })
})
