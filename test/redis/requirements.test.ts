import { Cluster, Redis } from 'ioredis'
import { ioredisPort, redisBackend, type RedisBackendOptions } from 'hereabouts/server/redis'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { createClient, createCluster, createSentinel } from 'redis'
import { checkRequirements } from '../../src/server/backends/redis/requirements.js'
import type { RedisPort } from '../../src/server/backends/redis/clients/client-port.js'
import { redisClient } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'
import { until } from '../support/until.js'

// Set so that the servers do not warn about a missing `clientIp`.
const clientIp = () => undefined

/* Startup errors and warnings for a Redis that does not meet the requirements. */

function listener() {
  const warnings: string[] = []
  return { warnings, info() {}, error() {}, warn: (message: string) => void warnings.push(message) }
}

test('a Redis older than 7 is rejected', async () => {
  const old = { send: async () => '# Server\r\nredis_version:6.2.14\r\n' } as unknown as RedisPort
  await expect(checkRequirements(old, 'hereabouts', listener())).rejects.toThrow(/Redis 6\.2\.14 is too old/)
})

describe('a Redis client with a key prefix', () => {
  const keyPrefix = 'app:'
  const nodes = [{ host: '127.0.0.1', port: 1 }]
  const url = 'redis://127.0.0.1:1'
  const clients: [string, () => RedisBackendOptions][] = [
    ['ioredis', () => ({ port: ioredisPort(new Redis({ keyPrefix, lazyConnect: true })) })],
    [
      'a cluster of ioredis',
      () => ({ port: ioredisPort(new Cluster(nodes, { keyPrefix, lazyConnect: true, shardedSubscribers: true })) }),
    ],
    ['node-redis', () => ({ client: createClient({ url, keyPrefix }) })],
    ['a cluster of node-redis', () => ({ client: createCluster({ rootNodes: [{ url }], keyPrefix }) })],
    [
      'a sentinel of node-redis',
      () => ({ client: createSentinel({ name: 'app', sentinelRootNodes: nodes, keyPrefix }) }),
    ],
  ]
  test.each(clients)('a Redis client with a key prefix is rejected %s', (_, options) => {
    expect(() => redisBackend(options())).toThrow(/keyPrefix 'app:'.*{ prefix: 'app:hereabouts' }/)
  })
})

describe.skipIf(skipWithoutRedis)('a starting server', { timeout: 20_000 }, () => {
  test('a server without the Redis permissions that it needs does not start; the error contains the command that grants them', async () => {
    await using redis = await redisServer()
    redis.cli('ACL', 'SETUSER', 'app', 'on', '>secret', '~other:*', '+@all')
    const client = createClient({ url: redis.url, username: 'app', password: 'secret' })
    await client.connect()
    const starting = serveLocations({ backend: redisBackend({ client }) })
    await expect(starting).rejects.toMatchObject({ code: 'misconfigured' })
    const refusal = await starting.catch((error: Error) => error.message)
    const line = /ACL SETUSER .*/
      .exec(refusal as string)![0]
      .replace('<name>', 'app')
      .replace('<password>', 'secret')
    redis.cli(...line.split(' '))
    // The new permissions also apply to a connection that was already open.
    const served = await serveLocations({ backend: redisBackend({ client }) })
    await served.hub.room('r').post({ memberId: 'ada', location: null })
    await served.hub.revoke('ada')
    await served.close()
    client.destroy()
  })

  test('a starting server warns if Redis may evict keys, or may accept writes while its replicas lag', async () => {
    await using master = await redisServer('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru')
    await using replica = await redisServer('--replicaof', `127.0.0.1 ${master.port}`)
    await until('the replica is connected', () => master.cli('INFO', 'replication').includes('connected_slaves:1'))
    const client = await redisClient(master.url)
    const logger = listener()
    const served = await serveLocations({ clientIp, backend: redisBackend({ client }), logger })
    expect(logger.warnings).toEqual([
      expect.stringContaining('maxmemory-policy allkeys-lru'),
      expect.stringContaining('min-replicas-to-write'),
    ])
    await served.close()
    master.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    master.cli('CONFIG', 'SET', 'min-replicas-to-write', '1')
    const isGood = () => master.cli('INFO', 'replication').includes('min_slaves_good_slaves:1')
    await until('the replica counts as good', isGood)
    const content = listener()
    const again = await serveLocations({ clientIp, backend: redisBackend({ client }), logger: content })
    expect(content.warnings).toEqual([])
    await again.close()
    client.destroy()
    expect(replica.port).toBeGreaterThan(0)
  })

  test('a server that starts while Redis is unreachable is not ready, and becomes ready when Redis is reachable', async () => {
    await using redis = await redisServer()
    const client = await redisClient(redis.url)
    await redis.kill()
    const logger = listener()
    const served = await serveLocations({
      clientIp,
      backend: redisBackend({ client, pulseMs: 50, timeoutMs: 200 }),
      logger,
    })
    expect(logger.warnings).toEqual([expect.stringContaining('cannot be used yet')])
    const readiness = async () => (await fetch(new URL('/readyz', served.url))).status
    await until('/readyz answers 503', async () => (await readiness()) === 503)
    await redis.start()
    await until('/readyz answers 200', async () => (await readiness()) === 200)
    await served.close()
    client.destroy()
  })
})
