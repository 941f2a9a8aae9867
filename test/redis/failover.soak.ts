import { setTimeout as passing } from 'node:timers/promises'
import { redisBackend } from 'hereabouts/server/redis'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { nodeRedisPort } from '../../src/server/backends/redis/clients/node-redis.js'
import type { RedisPort } from '../../src/server/backends/redis/clients/client-port.js'
import { Crowd, percentile } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import { redisClient, sharedNode, sharedNodes, type NodeOptions } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'
import { tcpProxy } from '../support/network/tcp-proxy.js'
import { until } from '../support/until.js'

/* Failover to a replica, network cuts and lost announcements, on real Redis servers with all timings divided by 20. */

const options: NodeOptions = { timing: { scale: 1 / 20 }, pulseMs: 50, timeoutMs: 250 }
const leaseMs = 1_500
const isSoak = process.env['SOAK'] !== undefined

const said = (what: string, figures: object) => console.log(`${what}: ${JSON.stringify(figures)}`)

/** Returns each node's URL `each` times: one URL for each client. */
const seats = (nodes: { url: string }[], each: number) =>
  nodes.flatMap(({ url }) => Array.from({ length: each }, () => url))

describe.skipIf(skipWithoutRedis)('failover', { timeout: isSoak ? 600_000 : 60_000 }, () => {
  async function failOver(): Promise<number> {
    const ends = new Ends()
    try {
      const quick = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', '--repl-timeout', '60']
      const master = ends.use(await redisServer(...quick))
      // One proxy carries replication, a second one carries the traffic of the nodes.
      const replication = ends.use(await tcpProxy(master.port))
      const replica = ends.use(await redisServer(...quick, '--replicaof', `127.0.0.1 ${replication.port}`))
      const service = ends.use(await tcpProxy(master.port))
      await until('the replica is in step', () => replica.cli('INFO', 'replication').includes('master_link_status:up'))
      const nodes = await sharedNodes(`redis://127.0.0.1:${service.port}`, 3, options)
      for (const node of nodes) ends.use(node)
      const crowd = ends.use(await Crowd.gather(seats(nodes, 4), 'failover'))
      replication.freeze()
      await crowd.stroll(400)
      await crowd.agree('all clients agree on the writes that the replica lacks')
      await master.kill()
      replica.cli('REPLICAOF', 'NO', 'ONE')
      service.target = replica.port
      service.cut()
      const promoted = await redisClient(replica.url)
      ends.use({ [Symbol.asyncDispose]: async () => promoted.destroy() })
      // Nobody moves any more, so the lost writes come back only because every client posts its state again.
      const began = performance.now()
      await until('the replica has all writes', () => crowd.isStoredIn(promoted, 'failover'), 12_000)
      await crowd.agree()
      const agreedMs = Math.round(performance.now() - began)
      await passing(leaseMs)
      await crowd.agree('all clients still agree a lease later')
      expect(crowd.left).toBe(0)
      return agreedMs
    } finally {
      await ends.end()
    }
  }

  test('after failover to a replica that lacks the last writes, all clients converge', async () => {
    const figures = []
    for (let round = 0; round < (isSoak ? 20 : 1); round++) figures.push(await failOver())
    said('failover', { agreedMs: figures })
    for (const agreedMs of figures) expect(agreedMs).toBeGreaterThanOrEqual(0)
  })

  test('a node that was disconnected from Redis converges again; a cut shorter than a lease shows no departures', async () => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const way = ends.use(await tcpProxy(redis.port))
      const remote = ends.use(await sharedNode(`redis://127.0.0.1:${way.port}`, options))
      const others = await sharedNodes(redis.url, 2, options)
      for (const node of others) ends.use(node)
      const crowd = ends.use(await Crowd.gather(seats([remote, ...others], 2), 'cut off'))
      const figures = []
      // First a cut shorter than the rest of a lease, then a cut of three leases.
      for (const cutMs of [leaseMs / 3, 3 * leaseMs]) {
        way.cut(true)
        await crowd.stroll(cutMs)
        way.thaw()
        figures.push({ cutMs, agreedMs: await crowd.agree(), shownToLeave: crowd.left })
      }
      said('cut off', { figures })
      expect(figures[0]!.shownToLeave).toBe(0)
    } finally {
      await ends.end()
    }
  })

  test('when the announcement of the last change in Redis is lost, the nodes find the change by polling the version', async () => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const client = await redisClient(redis.url)
      const port = nodeRedisPort(client)
      let isLossy = false
      const lossy: RedisPort = {
        ...port,
        subscribe: (channel, listener) => port.subscribe(channel, (message) => isLossy || listener(message)),
      }
      const served = await serveLocations({ timing: options.timing!, backend: redisBackend({ port: lossy }) })
      ends.use({ [Symbol.asyncDispose]: async () => client.destroy() })
      ends.use(served)
      const other = ends.use(await sharedNode(redis.url, options))
      const crowd = ends.use(await Crowd.gather([other.url, served.url, served.url], 'last words'))
      const figures = []
      for (let round = 0; round < (isSoak ? 100 : 20); round++) {
        isLossy = true
        crowd.move(0)
        await passing(25)
        isLossy = false
        figures.push(await crowd.agree())
      }
      said('lost announcements', { p50: percentile(figures, 50), most: Math.max(...figures) })
      expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    } finally {
      await ends.end()
    }
  })

  test('two builds with different scripts share one Redis', async () => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const client = await redisClient(redis.url)
      const port = nodeRedisPort(client)
      const other = `0000${'f'.repeat(36)}`
      let failures = 0
      /** Imitates a build with another script: its SHA is not in the cache, and its text has one more line. */
      const newer: RedisPort = {
        ...port,
        async send(key, [name, what, ...rest]) {
          const command = name === 'EVALSHA' ? [name, other, ...rest] : [name!, `${what}\n-- newer`, ...rest]
          return port
            .send(key, name === 'EVALSHA' || name === 'EVAL' ? command : [name!, what!, ...rest])
            .catch((error: Error) => {
              if (!error.message.startsWith('NOSCRIPT')) failures++
              throw error
            })
        },
      }
      ends.use({ [Symbol.asyncDispose]: async () => client.destroy() })
      const served = ends.use(await serveLocations({ timing: options.timing!, backend: redisBackend({ port: newer }) }))
      const older = ends.use(await sharedNode(redis.url, options))
      const crowd = ends.use(await Crowd.gather(seats([served, older], 3), 'builds'))
      await crowd.stroll(500)
      await crowd.agree()
      expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
      expect(failures).toBe(0)
    } finally {
      await ends.end()
    }
  })

  test('every key in Redis has a TTL, and the keys of a room that nobody uses expire', async () => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const node = ends.use(await sharedNode(redis.url, { ...options, keepMs: 700 }))
      const crowd = await Crowd.gather(seats([node], 3), 'short')
      await node.served.hub.revoke('nobody')
      const keys = redis.cli('KEYS', '*').split('\n')
      expect(keys.length).toBeGreaterThan(3)
      for (const key of keys) expect(Number(redis.cli('PTTL', key)), key).toBeGreaterThan(0)
      await crowd[Symbol.asyncDispose]()
      await node[Symbol.asyncDispose]()
      const rooms = () =>
        redis
          .cli('KEYS', '*')
          .split('\n')
          .filter((key) => key.includes('short'))
      await until('the keys of the rooms are gone from Redis', () => rooms().length === 0, 10_000)
    } finally {
      await ends.end()
    }
  })
})
