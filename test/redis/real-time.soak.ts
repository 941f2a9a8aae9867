import { setTimeout as passing } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Crowd } from '../support/crowd.js'
import { Ends } from '../support/ends.js'
import { sharedNodes } from '../support/nodes.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis-server.js'
import { roundRobin } from '../support/round-robin.js'
import { eventsOf } from '../support/stream-text.js'

/* What an outage is like at the speed of life, with every default. Minutes: npm run soak:redis. */

const outages: [name: string, begin: (redis: RedisServer) => unknown, end: (redis: RedisServer) => unknown][] = [
  ['stands still for a minute', (redis) => redis.signal('SIGSTOP'), (redis) => redis.signal('SIGCONT')],
  ['crashes and starts empty', (redis) => redis.kill(), (redis) => redis.start()],
]

describe.skipIf(skipWithoutRedis)('a Redis that', { timeout: 300_000 }, () => {
  test.each(outages)('%s', async (name, begin, end) => {
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const nodes = await sharedNodes(redis.url, 3, {})
      for (const node of nodes) ends.use(node)
      const balancer = ends.use(await roundRobin(nodes.map(({ url }) => url)))
      const crowd = ends.use(
        await Crowd.gather(
          Array.from({ length: 10 }, () => balancer.url),
          'life',
        ),
      )
      const viewer = await eventsOf(nodes[0]!.url, 'life')
      await begin(redis)
      const degradedMs = await viewer.until('"type":"degraded"', 10_000)
      const strolling = crowd.stroll(5_000, 500)
      await strolling
      await passing(60_000 - 5_000 - degradedMs)
      expect(new Set(crowd.statuses)).toEqual(new Set(['degraded']))
      await end(redis)
      const [healedMs] = await Promise.all([
        crowd.agree('all agree again', 12_000),
        viewer.until('"type":"beat"', 12_000),
      ])
      // A lease later everyone who is there is still there.
      await passing(32_000)
      await crowd.agree()
      viewer.close()
      console.log(`${name}: ${JSON.stringify({ degradedMs, healedMs, left: crowd.left })}`)
      expect(crowd.left).toBe(0)
    } finally {
      await ends.end()
    }
  })
})
