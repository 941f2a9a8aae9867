import { locationContract } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { Ends } from '../support/ends.js'
import { sharedNodes } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'
import { roundRobin } from '../support/redis/round-robin.js'
import { cells, fastTiming, features, sharedBroadcasts, targetTiming } from './target.js'

/*
 * The contract of PROTOCOL.md, for three servers that share one Redis, without sticky sessions: the posts, streams and
 * resumes of one connection meet only in Redis.
 */

// The timing is slower than usual: three servers, a balancer and all the clients run in one process.
const timing = { ...fastTiming, scale: 1 / 10 }
const slower = { ...targetTiming, leaseMaxMs: 30_000, closedMs: 1_500 }
const values = { ...cells, broadcasts: sharedBroadcasts }

describe.skipIf(skipWithoutRedis).concurrent('three servers with rooms in Redis, behind a round-robin balancer', () => {
  const ends = new Ends()
  const target = { url: '', timing: slower, ...values }
  beforeAll(async () => {
    const redis = ends.use(await redisServer())
    const nodes = (
      await sharedNodes(redis.url, 3, {
        timing,
        presence: features.presence,
        broadcasts: features.broadcasts,
        locks: true,
      })
    ).map((node) => ends.use(node))
    target.url = ends.use(await roundRobin(nodes.map(({ url }) => url))).url
  })
  afterAll(() => ends.end())

  for (const { name } of locationContract({ ...values, url: '' }))
    test(
      name,
      () =>
        locationContract(target)
          .find((found) => found.name === name)!
          .run(),
      60_000,
    )
})
