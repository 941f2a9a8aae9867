import { setTimeout as passing } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Crowd, percentile } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import {
  readiness,
  redisClient,
  sharedNodes,
  tryToPost,
  type NodeOptions,
  type SharedNode,
} from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { roundRobin, type RoundRobin } from '../support/redis/round-robin.js'
import { eventsOf } from '../support/network/stream-text.js'
import { until } from '../support/until.js'

/*
 * Faults of Redis and of the network, on real servers and with our own client. All timings are divided by 20: the
 * heartbeat interval is 0.5 s and a lease is 1.5 s. After every fault, all clients converge within a bounded time, and
 * no connection that is present is shown to leave.
 */

const options: NodeOptions = { timing: { scale: 1 / 20 }, pulseMs: 50, timeoutMs: 250 }
const leaseMs = 1_500
const people = 12

const said = (what: string, figures: object) => console.log(`${what}: ${JSON.stringify(figures)}`)

describe.skipIf(skipWithoutRedis)('three nodes behind a round-robin balancer', { timeout: 60_000 }, () => {
  const ends = new Ends()
  let redis: RedisServer
  let nodes: SharedNode[]
  let balancer: RoundRobin
  let rooms = 0
  beforeAll(async () => {
    redis = ends.use(await redisServer())
    nodes = (await sharedNodes(redis.url, 3, options)).map((node) => ends.use(node))
    balancer = ends.use(await roundRobin(nodes.map(({ url }) => url)))
  })
  afterAll(() => ends.end())
  afterEach(() => until('Redis is back for all', isReady))
  const isReady = async () => (await Promise.all(nodes.map(readiness))).every((status) => status === 200)

  const gather = (size = people) =>
    Crowd.gather(
      Array.from({ length: size }, () => balancer.url),
      `room ${++rooms}`,
    )

  test('all clients see each other, whichever node they post to', async () => {
    await using crowd = await gather()
    await crowd.stroll(2_000)
    const agreedMs = await crowd.agree()
    said('three nodes', {
      posts: crowd.delays.length,
      p50: percentile(crowd.delays, 50),
      p99: percentile(crowd.delays, 99),
      agreedMs,
    })
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  })

  test('a script that Redis no longer caches is sent again', async () => {
    await using crowd = await gather()
    const strolling = crowd.stroll(1_000)
    for (let i = 0; i < 10; i++) {
      redis.cli('SCRIPT', 'FLUSH')
      await passing(90)
    }
    await strolling
    said('SCRIPT FLUSH', { agreedMs: await crowd.agree() })
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  })

  test('subscriptions that are disconnected repeatedly lose no commits', async () => {
    await using crowd = await gather()
    const strolling = crowd.stroll(2_000)
    for (let i = 0; i < 20; i++) {
      redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await passing(90)
    }
    await strolling
    said('CLIENT KILL TYPE pubsub', { agreedMs: await crowd.agree() })
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  })

  test('while Redis is blocked by a slow command, no connection is shown to leave', async () => {
    await using crowd = await gather()
    const client = await redisClient(redis.url)
    const sleeping = client.sendCommand(['DEBUG', 'SLEEP', '0.6'])
    await crowd.stroll(1_000)
    await sleeping
    client.destroy()
    said('DEBUG SLEEP', { agreedMs: await crowd.agree() })
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  })

  test('when Redis stalls for two leases, no connection expires', async () => {
    await using crowd = await gather()
    redis.signal('SIGSTOP')
    const strolling = crowd.stroll(2 * leaseMs)
    await until('/readyz answers 503', async () => (await readiness(nodes[0]!)) === 503, 2_000)
    await strolling
    redis.signal('SIGCONT')
    const agreedMs = await crowd.agree()
    await passing(leaseMs)
    await crowd.agree()
    said('SIGSTOP', { agreedMs })
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  })

  test('after Redis crashes and restarts empty, all connections enter again and none is shown to leave', async () => {
    await using crowd = await gather()
    await redis.kill()
    const began = performance.now()
    await until('/readyz answers 503', async () => (await readiness(nodes[0]!)) === 503, 1_000)
    const noticedMs = Math.round(performance.now() - began)
    await crowd.stroll(leaseMs)
    expect(new Set(crowd.statuses)).toEqual(new Set(['degraded']))
    await redis.start()
    const agreedMs = await crowd.agree()
    said('SIGKILL', { noticedMs, agreedMs })
    expect(crowd.left).toBe(0)
  })

  test('while Redis is unreachable, posts are rejected in time and streams report `degraded`', async () => {
    await using crowd = await gather(3)
    const viewer = await eventsOf(nodes[0]!.url, `room ${rooms}`)
    await redis.kill()
    const delays = []
    for (let i = 0; i < 5; i++) {
      const began = performance.now()
      const status = await tryToPost(nodes[0]!, `room ${rooms}`)
      delays.push(Math.round(performance.now() - began))
      expect(status).toBe(503)
    }
    const degradedMs = await viewer.until('"type":"degraded"', 2_000)
    await redis.start()
    const beatMs = await viewer.until('"type":"beat"', 5_000)
    viewer.close()
    said('while away', { delays, degradedMs, beatMs, agreedMs: await crowd.agree() })
    expect(Math.max(...delays)).toBeLessThan(1_000)
  })

  test('when Redis is out of memory, posts are rejected; they work again when memory is free', async () => {
    await using crowd = await gather()
    redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    expect(await tryToPost(nodes[0]!, `room ${rooms}`)).toBe(503)
    await crowd.stroll(leaseMs / 2)
    redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    said('OOM', { agreedMs: await crowd.agree() })
    expect(crowd.left).toBe(0)
  })
})
