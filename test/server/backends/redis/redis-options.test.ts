import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { ioredisPort, redisBackend, type RedisBackendOptions, type RedisPort } from 'hereabouts/server/redis'
import { describe, expect, test } from 'vitest'

/* redisBackend refuses an option value that would silently match nothing, or too much, when the backend is created. */

const url = 'redis://127.0.0.1:1'
const nodes = [{ host: '127.0.0.1', port: 1 }]
const port: RedisPort = {
  isCluster: false,
  send: () => new Promise(() => {}),
  subscribe: () => new Promise(() => {}),
  onGap() {},
  async close() {},
}
const lazyCluster = (options: object) => new Cluster(nodes, { lazyConnect: true, ...options })

const refused: [option: string, value: unknown, message: RegExp][] = [
  ['prefix', '', /prefix .* must be/],
  ['prefix', 7, /prefix .* must be/],
  ['prefix', null, /prefix .* must be/],
  ['prefix', 'a b', /prefix .* must be/],
  ['prefix', 'app\n', /prefix .* must be/],
  ['prefix', '{app}', /prefix .* must be/],
  ['prefix', 'app}', /prefix .* must be/],
  ['prefix', 'app*', /prefix .* must be/],
  ['prefix', 'app?', /prefix .* must be/],
  ['prefix', '[app]', /prefix .* must be/],
  ['prefix', 'app\\', /prefix .* must be/],
  ['prefix', 'a'.repeat(101), /prefix .* must be/],
  ['timeoutMs', 0, /timeoutMs .* 1 to 60000/],
  ['timeoutMs', Number.NaN, /timeoutMs .* 1 to 60000/],
  ['timeoutMs', '750', /timeoutMs .* 1 to 60000/],
  ['timeoutMs', Infinity, /timeoutMs .* 1 to 60000/],
  ['pulseMs', 0, /pulseMs .* 1 to 60000/],
  ['pulseMs', -1, /pulseMs .* 1 to 60000/],
  // Revocations stay in Redis for ten minutes and are read at each pulse: a longer interval would miss some.
  ['pulseMs', 600_001, /pulseMs .* 1 to 60000/],
  ['keepMs', -1, /keepMs .* 0 to/],
  ['keepMs', Infinity, /keepMs .* 0 to/],
  ['time', {}, /time .* clock/],
  ['time', 5, /time .* clock/],
  ['keyPrefix', 'app:', /Unknown option keyPrefix/],
  ['timeoutMS', 5, /Unknown option timeoutMS/],
]

describe('invalid options of redisBackend', () => {
  test.for(refused)('redisBackend refuses the option %s with the value %j', ([option, value, message]) => {
    const options = { port, [option]: value } as unknown as RedisBackendOptions
    expect(() => redisBackend(options)).toThrow(expect.objectContaining({ code: 'misconfigured' }))
    expect(() => redisBackend(options)).toThrow(message)
  })

  const ways: [what: string, options: () => unknown, message: RegExp][] = [
    ['no way to reach Redis', () => ({}), /either { client }.* or { port }/],
    ['two ways to reach Redis', () => ({ port, client: createClient({ url }) }), /not both/],
    [
      'a client of ioredis',
      () => ({ client: new Redis({ lazyConnect: true }) }),
      /give { port: ioredisPort\(client\) }/,
    ],
    ['a client of ioredis as a port', () => ({ port: new Redis({ lazyConnect: true }) }), /not a RedisPort/],
    ['a pool of node-redis, which cannot subscribe', () => ({ client: createClientPool({ url }) }), /createClient/],
    ['a URL instead of a client', () => ({ client: url }), /client of redisBackend is no client/],
    [
      'a client of node-redis given to ioredisPort',
      () => ({ port: ioredisPort(createClient({ url }) as never) }),
      /ioredis/,
    ],
    [
      'a cluster of ioredis without sharded subscribers, which receives no announcements',
      () => ({ port: ioredisPort(lazyCluster({})) }),
      /shardedSubscribers: true/,
    ],
    [
      'a cluster of ioredis that reads from replicas, which may lack revocations',
      () => ({ port: ioredisPort(lazyCluster({ shardedSubscribers: true, scaleReads: 'all' })) }),
      /scaleReads: "master"/,
    ],
  ]
  test.for(ways)('redisBackend refuses %s', ([, options, message]) => {
    const make = () => redisBackend(options() as RedisBackendOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'misconfigured' }))
    expect(make).toThrow(message)
  })
})

describe('valid options of redisBackend', () => {
  const accepted: [what: string, options: () => unknown][] = [
    ['every option at once', () => ({ port, prefix: 'app:v2/x-1_y.z', timeoutMs: 1, pulseMs: 60_000, keepMs: 0 })],
    ['options that are undefined', () => ({ port, prefix: undefined, keepMs: undefined })],
    ['a client of node-redis', () => ({ client: createClient({ url }) })],
    ['a cluster of node-redis', () => ({ client: createCluster({ rootNodes: [{ url }] }) })],
    ['a sentinel of node-redis', () => ({ client: createSentinel({ name: 'app', sentinelRootNodes: nodes }) })],
    ['a client of ioredis', () => ({ port: ioredisPort(new Redis({ lazyConnect: true })) })],
    [
      'a cluster of ioredis with sharded subscribers',
      () => ({ port: ioredisPort(lazyCluster({ shardedSubscribers: true })) }),
    ],
  ]
  test.for(accepted)('redisBackend accepts %s', async ([, options]) => {
    await expect(redisBackend(options() as RedisBackendOptions).close()).resolves.toBeUndefined()
  })
})
