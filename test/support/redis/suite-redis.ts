import { createClient } from 'redis'
import { afterAll, beforeAll } from 'vitest'
import { redisServer, type RedisServer } from './redis-server.js'

/** Starts a Redis server for the tests of the calling block. Returns a function that returns the client, for use in tests. */
export function suiteRedis(): () => ReturnType<typeof createClient> {
  let server: RedisServer | undefined
  let client: ReturnType<typeof createClient> | undefined
  beforeAll(async () => {
    server = await redisServer()
    client = createClient({ url: server.url })
    await client.connect()
  })
  afterAll(async () => {
    client?.destroy()
    await server?.[Symbol.asyncDispose]()
  })
  return () => client!
}
