import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { ioredisPort, redisBackend, type RedisBackendOptions } from 'hereabouts/server/redis'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { keysOf } from '../../src/server/backends/redis/keys.js'
import { Crowd } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import { redisClient } from '../support/redis/nodes.js'
import { redisCluster } from '../support/redis/redis-cluster.js'
import { redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'

/* Two servers share one room, over each supported Redis client, with a single Redis and with a cluster. */

async function share(ends: Ends, connect: () => Promise<RedisBackendOptions>, room: string): Promise<Crowd> {
  const urls = []
  for (let node = 0; node < 2; node++) {
    const backend = redisBackend(await connect())
    const served = ends.use(await serveLocations({ timing: { scale: 1 / 20 }, backend }))
    urls.push(served.url, served.url)
  }
  const crowd = ends.use(await Crowd.gather(urls, room))
  await crowd.stroll(400)
  await crowd.agree()
  expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  return crowd
}

describe.skipIf(skipWithoutRedis)('two servers over one Redis', { timeout: 60_000 }, () => {
  const ending = (end: () => unknown) => ({ [Symbol.asyncDispose]: async () => void (await end()) })

  test('two servers share a room over ioredis', async () => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const connect = async () => {
        const client = new Redis(redis.port, '127.0.0.1')
        ends.use(ending(() => client.disconnect()))
        return { port: ioredisPort(client), pulseMs: 50 }
      }
      const crowd = await share(ends, connect, 'ioredis')
      redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await crowd.stroll(400)
      await crowd.agree()
      expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    } finally {
      await ends.end()
    }
  })

  for (const kind of ['node-redis', 'ioredis']) {
    test(`two servers share a room over a Redis cluster and ${kind}, even while the slot of the room moves to another master`, async () => {
      const ends = new Ends()
      try {
        const cluster = ends.use(await redisCluster())
        const connect = async (): Promise<RedisBackendOptions> => {
          if (kind === 'ioredis') {
            const nodes = cluster.nodes.map(({ port }) => ({ port, host: '127.0.0.1' }))
            const client = new Cluster(nodes, { shardedSubscribers: true })
            ends.use(ending(() => client.disconnect()))
            return { port: ioredisPort(client), pulseMs: 50 }
          }
          const client = createCluster({ rootNodes: cluster.nodes.map(({ url }) => ({ url })) })
          client.on('error', () => {})
          await client.connect()
          ends.use(ending(() => client.destroy()))
          return { client, pulseMs: 50 }
        }
        const room = `cluster ${kind}`
        const crowd = await share(ends, connect, room)
        const strolling = crowd.stroll(1_000)
        cluster.move(keysOf(room, 'hereabouts')[0]!)
        await strolling
        console.log(`slot moved, ${kind}: ${JSON.stringify({ agreedMs: await crowd.agree() })}`)
        expect(crowd.left).toBe(0)
      } finally {
        await ends.end()
      }
    })
  }
})

describe.skipIf(skipWithoutRedis)('closing the Redis backend', () => {
  test("closing the Redis backend closes its subscribing connection and leaves the app's node-redis client open", async () => {
    await using redis = await redisServer()
    const client = await redisClient(redis.url)
    const served = await serveLocations({ backend: redisBackend({ client }) })
    await served.hub.room('r').post({ memberId: 'ada', location: null })
    await served.close()
    expect(await client.sendCommand(['PING'])).toBe('PONG')
    expect(redis.cli('CLIENT', 'LIST', 'TYPE', 'pubsub')).toBe('')
    client.destroy()
  })
})
