import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { ioredisPort, redisBackend, type RedisBackendOptions } from 'hereabouts/server/redis'
import { noMetrics, type Readings } from '../../src/server/options/metrics.js'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { Ends } from '../support/ends.js'
import { eventsOf } from '../support/network/stream-text.js'
import { readiness, tryToPost } from '../support/redis/nodes.js'
import { redisProxy, type RedisProxy } from '../support/redis/redis-proxy.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { until } from '../support/until.js'

/*
 * `npm run health-table` makes Redis fail in each known way, on real servers with default options, and prints a table
 * of what streams, posts, /readyz, logs and metrics show. docs/operating.md has the same table.
 */

/** The limit for noticing a fault, or its end. docs/operating.md promises two seconds on a machine without overload. */
const boundMs = 8_000

type Stage = {
  redis: RedisServer
  other: RedisServer | null
  proxy: RedisProxy
  connect: () => Promise<RedisBackendOptions>
}

type Fault = {
  name: string
  /** The expected events of streams, status of posts, status of /readyz and log line. */
  shows: { streams: 'degraded' | 'beats'; posts: 200 | 503; readyz: 200 | 503; log: string }
  begin: (stage: Stage) => unknown
  /** Ends the fault. Absent if the fault ends by itself. */
  end?: (stage: Stage) => unknown
  /** The options of a second Redis server, if the fault needs one. */
  other?: string[]
  client?: 'ioredis'
}

const refuses = (log: string) => ({ streams: 'degraded', posts: 503, readyz: 503, log }) as const
const deaf = { streams: 'degraded', posts: 200, readyz: 503, log: 'announcements do not arrive' } as const
const nothing = { streams: 'beats', posts: 200, readyz: 200, log: '' } as const
const dumpOf = ({ redis }: Stage) => join(redis.cli('CONFIG', 'GET', 'dir').split('\n')[1]!, 'dump.rdb')

const faults: Fault[] = [
  {
    name: 'unreachable: it was killed',
    shows: refuses('Redis is unreachable'),
    begin: ({ redis }) => redis.kill(),
    end: ({ redis }) => redis.start(),
  },
  {
    name: 'silent: it is stopped, or slower than `timeoutMs`',
    shows: refuses('Redis is unreachable'),
    begin: ({ redis }) => redis.signal('SIGSTOP'),
    end: ({ redis }) => redis.signal('SIGCONT'),
  },
  {
    name: 'slow: each reply takes 200 ms',
    shows: nothing,
    begin: ({ proxy }) => (proxy.delayMs = 200),
    end: ({ proxy }) => (proxy.delayMs = 0),
  },
  {
    name: 'read-only: it was demoted to a replica',
    shows: refuses('READONLY'),
    other: [],
    begin: ({ redis, other }) => redis.cli('REPLICAOF', '127.0.0.1', String(other!.port)),
    end: ({ redis }) => redis.cli('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'refuses writes: fewer replicas than `min-replicas-to-write`',
    shows: refuses('NOREPLICAS'),
    begin: ({ redis }) => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '1'),
    end: ({ redis }) => redis.cli('CONFIG', 'SET', 'min-replicas-to-write', '0'),
  },
  {
    name: 'refuses writes: a BGSAVE failed',
    shows: refuses('MISCONF'),
    async begin(stage) {
      mkdirSync(join(dumpOf(stage), 'in the way'), { recursive: true })
      stage.redis.cli('CONFIG', 'SET', 'save', '900 1')
      stage.redis.cli('BGSAVE')
      await until('saving failed', () => stage.redis.cli('INFO', 'persistence').includes('rdb_last_bgsave_status:err'))
    },
    end(stage) {
      rmSync(dumpOf(stage), { recursive: true })
      stage.redis.cli('BGSAVE')
    },
  },
  {
    name: 'full: `maxmemory` with noeviction',
    shows: refuses('OOM'),
    begin: ({ redis }) => redis.cli('CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ redis }) => redis.cli('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'refuses writes: a right was taken away',
    shows: refuses('NOPERM'),
    begin: ({ redis }) => redis.cli('ACL', 'SETUSER', 'default', '-evalsha', '-eval'),
    end: ({ redis }) => redis.cli('ACL', 'SETUSER', 'default', '+@all'),
  },
  {
    name: 'wrong version: after a failover, one before 7',
    shows: refuses('too old'),
    // Renames the commands that came with Redis 7, so that this server does not know them.
    other: ['--rename-command', 'SPUBLISH', '', '--rename-command', 'SSUBSCRIBE', ''],
    begin({ proxy, other }) {
      proxy.target = other!.port
      proxy.cut()
    },
    end({ proxy, redis }) {
      proxy.target = redis.port
      proxy.cut()
    },
  },
  {
    name: 'deaf: the subscribing connection is dead without a sign',
    shows: deaf,
    begin: ({ proxy }) => proxy.freezeSubscribers(),
  },
  {
    name: 'deaf: the subscribing client gave up reconnecting',
    shows: deaf,
    begin: ({ proxy }) => proxy.cutSubscribers(),
  },
  {
    name: 'deaf, over ioredis',
    shows: deaf,
    client: 'ioredis',
    begin: ({ proxy }) => proxy.freezeSubscribers(),
  },
]

async function stageOf(ends: Ends, { other, client: kind, name }: Fault): Promise<Stage> {
  const redis = ends.use(await redisServer())
  const proxy = ends.use(await redisProxy(redis.port))
  async function connect(): Promise<RedisBackendOptions> {
    if (kind === 'ioredis') {
      const client = new Redis(proxy.port, '127.0.0.1')
      ends.use({ [Symbol.asyncDispose]: async () => client.disconnect() })
      return { port: ioredisPort(client) }
    }
    const client = createClient({
      url: proxy.url,
      ...(name.includes('gave up') && { socket: { reconnectStrategy: false } }),
    })
    client.on('error', () => {})
    await client.connect()
    ends.use({ [Symbol.asyncDispose]: async () => void (client.isOpen && client.destroy()) })
    return { client }
  }
  return { redis, proxy, other: other ? ends.use(await redisServer(...other)) : null, connect }
}

type Row = { fault: Fault; shownMs: number; healedMs: number }
const rows: Row[] = []

async function measure(fault: Fault): Promise<Row> {
  const ends = new Ends()
  try {
    const stage = await stageOf(ends, fault)
    const lines: string[] = []
    const log = (message: string, details?: { error?: unknown }) =>
      void lines.push(`${message}: ${details?.error instanceof Error ? details.error.message : ''}`)
    let read: () => Readings
    const served = ends.use(
      await serveLocations({
        backend: redisBackend(await stage.connect()),
        clientIp: () => undefined,
        logger: { info: log, warn: log, error: log },
        metrics: { ...noMetrics, watch: (given) => (read = given) },
      }),
    )
    expect(await tryToPost(served, 'r')).toBe(200)
    const viewer = await eventsOf(served.url, 'r')
    expect([await readiness(served), lines]).toEqual([200, []])

    const { shows } = fault
    const began = performance.now()
    await fault.begin(stage)
    if (shows.readyz === 503) await until('/readyz answers 503', async () => (await readiness(served)) === 503, boundMs)
    else await new Promise((resolve) => setTimeout(resolve, 2_500))
    const shownMs = performance.now() - began
    expect(read!().isReady).toBe(shows.readyz === 200)
    expect(await tryToPost(served, 'r')).toBe(shows.posts)
    if (shows.streams === 'degraded') await until('streams say so', () => viewer.text.includes('"degraded"'), boundMs)
    else expect(viewer.text).not.toContain('"degraded"')
    const outages = lines.filter((line) => line.startsWith('the backend is out of reach'))
    expect(outages, lines.join('\n')).toHaveLength(shows.log === '' ? 0 : 1)
    if (shows.log !== '') expect(outages[0]).toContain(shows.log)

    const ended = performance.now()
    await fault.end?.(stage)
    await until('/readyz answers 200', async () => (await readiness(served)) === 200, boundMs)
    await until('posts are accepted', async () => (await tryToPost(served, 'r')) === 200, boundMs)
    const healedMs = performance.now() - ended
    expect(await tryToPost(served, 'another room')).toBe(200)
    expect(read!().isReady).toBe(true)
    if (shows.log !== '') expect(lines.at(-1)).toContain('the backend is back')
    viewer.close()
    return { fault, shownMs, healedMs }
  } finally {
    await ends.end()
  }
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`

/** Returns the columns of a fault's row that do not depend on the machine. docs/operating.md has exactly these. */
function rowOf({ name, shows }: Fault): string[] {
  if (shows.readyz === 200) return [name, 'heartbeats', 'accepted, later', '200', 'nothing', '1']
  const posts = shows.posts === 503 ? '503' : 'accepted'
  return [name, '`degraded`', posts, '503 `degraded`', `\`${shows.log}\``, '0']
}

describe.skipIf(skipWithoutRedis)(
  'a Redis that fails shows in /readyz, the log, the metrics and the streams',
  { timeout: 60_000 },
  () => {
    afterAll(() => {
      const lines = rows.map((row) => [
        ...rowOf(row.fault),
        row.fault.shows.log === '' ? '' : seconds(row.shownMs),
        seconds(row.healedMs),
      ])
      const header = [
        'failure',
        'streams',
        'posts',
        '/readyz',
        'the log says',
        'hereabouts_ready',
        'after',
        'healed after',
      ]
      console.log([header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n'))
    })

    test.for(faults.map((fault) => [fault.name, fault] as const))(
      'streams, posts, /readyz, log and metrics show what docs/operating.md says: %s',
      async ([, fault]) => {
        const row = await measure(fault)
        rows.push(row)
        expect(row).toBeDefined()
      },
    )

    test('a server that starts on a read-only replica answers /readyz with 503 from the start, and logs the reason in one line', async () => {
      await using master = await redisServer()
      await using replica = await redisServer('--replicaof', `127.0.0.1 ${master.port}`)
      const client = createClient({ url: replica.url })
      await client.connect()
      const errors: string[] = []
      const logger = {
        info() {},
        warn() {},
        error: (message: string, { error }: { error?: Error } = {}) =>
          void errors.push(`${message}: ${error?.message}`),
      }
      const served = await serveLocations({ backend: redisBackend({ client }), clientIp: () => undefined, logger })
      expect([await readiness(served), served.hub.health()]).toEqual([503, 'degraded'])
      expect(await tryToPost(served, 'r')).toBe(503)
      expect(errors).toEqual([expect.stringMatching(/^the backend is out of reach: .*READONLY.*connect to the master/)])
      replica.cli('REPLICAOF', 'NO', 'ONE')
      await until('/readyz answers 200', async () => (await readiness(served)) === 200, boundMs)
      expect(await tryToPost(served, 'r')).toBe(200)
      await served.close()
      client.destroy()
    })
  },
)

test('the table in docs/operating.md has the observed row of each Redis failure', () => {
  const docs = readFileSync(fileURLToPath(new URL('../../docs/operating.md', import.meta.url)), 'utf8')
  const cells = docs.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  for (const fault of faults) {
    const row = cells.find(([, name]) => name === fault.name)
    expect(row?.slice(1, 7), fault.name).toEqual(rowOf(fault))
  }
})
