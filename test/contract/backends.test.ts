import { memoryBackend, type Backend } from 'hereabouts/server'
import { redisBackend } from 'hereabouts/server/redis'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { Ends } from '../support/ends.js'
import { redisClient } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { backendCases } from './backend.js'

/* Every backend passes the same cases. */

describe('memory', () => {
  for (const [name, run] of Object.entries(backendCases)) {
    test(name, async () => {
      const backend = memoryBackend()
      await run(async () => [backend, backend])
      await backend.close()
    })
  }
})

describe.skipIf(skipWithoutRedis)('Redis', () => {
  const ends = new Ends()
  let redis: RedisServer
  beforeAll(async () => {
    redis = ends.use(await redisServer())
  })
  afterAll(() => ends.end())

  for (const [name, run] of Object.entries(backendCases)) {
    test(name, async () => {
      const own = new Ends()
      const make = async (): Promise<Backend> => {
        const client = await redisClient(redis.url)
        own.use({ [Symbol.asyncDispose]: async () => client.destroy() })
        const backend = redisBackend({ client, pulseMs: 50 })
        own.use({ [Symbol.asyncDispose]: () => backend.close() })
        return backend
      }
      try {
        await run(async () => [await make(), await make()])
      } finally {
        await own.end()
      }
    })
  }
})
