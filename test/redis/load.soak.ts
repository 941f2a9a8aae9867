import { spawn, type ChildProcess } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { setTimeout as passing } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { keysOf } from '../../src/server/backends/redis/keys.js'
import { built } from '../support/built.js'
import { Crowd, percentile } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import { redisClient } from '../support/redis/nodes.js'
import { redisServer, skipWithoutRedis, type RedisServer } from '../support/redis/redis-server.js'
import { byTurns, roundRobin } from '../support/redis/round-robin.js'
import { until } from '../support/until.js'

/* Many rooms and people, on servers in separate processes. CI runs a short version, npm run soak:redis the full one. */

const isSoak = process.env['SOAK'] !== undefined
const nodeFile = fileURLToPath(new URL('../support/redis/node-process.mjs', import.meta.url))
const said = (what: string, figures: object) => console.log(`${what}: ${JSON.stringify(figures)}`)

/** A server in its own process, which a test can kill. */
class Victim implements AsyncDisposable {
  url = ''
  #child: ChildProcess | undefined
  readonly #env: Record<string, string>

  constructor(env: Record<string, string>) {
    this.#env = env
  }

  async start(): Promise<this> {
    const port = this.url && new URL(this.url).port
    const child = spawn(process.execPath, [nodeFile], {
      env: { ...process.env, ...this.#env, ...(port && { PORT: port }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    let text = ''
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
    await until('a server listens', () => text.includes('\n'), 20_000)
    this.url = text.trim()
    return this
  }

  async kill(): Promise<void> {
    const child = this.#child!
    const ended = new Promise((resolve) => child.on('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

async function victims(ends: Ends, redis: RedisServer, count: number, scale: number): Promise<Victim[]> {
  built('package')
  const env = { SCALE: String(scale), REDIS_URL: redis.url }
  const starting = Array.from({ length: count }, () => new Victim(env).start())
  return (await Promise.all(starting)).map((victim) => ends.use(victim))
}

describe.skipIf(skipWithoutRedis)('servers in separate processes', { timeout: isSoak ? 600_000 : 60_000 }, () => {
  test('many rooms converge while each request goes to the next server', async () => {
    const [rooms, people, forMs, pauseMs] = isSoak ? [50, 10, 60_000, 3_000] : [8, 6, 3_000, 1_000]
    const ends = new Ends()
    try {
      const redis = ends.use(await redisServer())
      const nodes = await victims(ends, redis, 3, 1)
      const through = byTurns(nodes.map(({ url }) => url))
      const seats = Array.from({ length: people }, () => nodes[0]!.url)
      const gathering = Array.from({ length: rooms }, (_, i) => Crowd.gather(seats, `many ${i}`, 30_000, through))
      const crowds = (await Promise.all(gathering)).map((crowd) => ends.use(crowd))
      const stroll = async (crowd: Crowd) => {
        // Rooms move at different times. Moving together, they would measure this process, which runs all the clients.
        await passing(Math.random() * (pauseMs / people))
        await crowd.stroll(forMs, pauseMs)
      }
      const lateness = monitorEventLoopDelay({ resolution: 5 })
      lateness.enable()
      await Promise.all(crowds.map(stroll))
      lateness.disable()
      const settled = await Promise.allSettled(crowds.map((crowd) => crowd.agree()))
      const delays = crowds.flatMap((crowd) => crowd.delays)
      said('many rooms', {
        rooms,
        clients: rooms * people,
        delivered: delays.length,
        p50: percentile(delays, 50),
        p99: percentile(delays, 99),
        // Part of the delay is caused by this process, which runs all the clients.
        ownLatenessP99: Math.round(lateness.percentile(99) / 1e6),
        wrongFinalStates: settled.filter(({ status }) => status === 'rejected').length,
        agreedMs: Math.max(...settled.map((each) => (each.status === 'fulfilled' ? each.value : Infinity))),
      })
      for (const each of settled) expect(each).toMatchObject({ status: 'fulfilled' })
      for (const crowd of crowds) expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    } finally {
      await ends.end()
    }
  })

  test('when servers are killed in turn, clients that reconnect are never shown to leave, and those that do not expire', async () => {
    const scale = isSoak ? 1 : 0.2
    const ends = new Ends()
    try {
      // Two groups run side by side, which halves the time.
      const casts = isSoak ? [25, 25] : [3]
      const killings = await Promise.all(casts.map((rounds) => kill(ends, rounds, scale)))
      const of = <T>(part: (one: Killing) => T[]) => killings.flatMap(part)
      const agreedMs = of((one) => one.agreedMs)
      said('kill -9', {
        rounds: agreedMs.length,
        leaseMs: 30_000 * scale,
        p50: percentile(agreedMs, 50),
        most: Math.max(...agreedMs),
        left: killings.reduce((sum, { crowd }) => sum + crowd.left, 0),
        visitors: of((one) => one.goneMs).length,
        goneMs: Math.max(...of((one) => one.goneMs)),
        ghosts: killings.reduce((sum, { ghosts }) => sum + ghosts, 0),
      })
      for (const { crowd, ghosts } of killings) {
        expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
        expect(ghosts).toBe(0)
      }
    } finally {
      await ends.end()
    }
  })
})

/** `goneMs`: the time from a server's death until a client that did not reconnect was shown to leave. */
type Killing = { crowd: Crowd; agreedMs: number[]; goneMs: number[]; ghosts: number }

/** Kills three servers in turn while twelve people move. */
async function kill(ends: Ends, rounds: number, scale: number): Promise<Killing> {
  const redis = ends.use(await redisServer())
  const nodes = await victims(ends, redis, 3, scale)
  const balancer = ends.use(await roundRobin(nodes.map(({ url }) => url)))
  const seats = Array.from({ length: 12 }, () => balancer.url)
  const crowd = ends.use(await Crowd.gather(seats, 'killed', 30_000))
  const agreedMs: number[] = []
  const going: Promise<number>[] = []
  for (let round = 0; round < rounds; round++) {
    const victim = nodes[round % 3]!
    const strolling = crowd.stroll(600, 200)
    const isSeen = isSoak || round === 0 ? await crowd.visit(victim.url, 'killed') : null
    balancer.targets = nodes.filter((node) => node !== victim).map(({ url }) => url)
    await victim.kill()
    if (isSeen) going.push(gone(isSeen, 35_000 * scale))
    // A rejection is checked at the end, so it must not count as unhandled before.
    going.at(-1)?.catch(() => {})
    await strolling
    agreedMs.push(await crowd.agree())
    await victim.start()
    balancer.targets = nodes.map(({ url }) => url)
    // After one heartbeat a client considers its connection stable. If it is lost sooner, the backoff keeps growing.
    await crowd.stroll(isSoak ? 10_500 * scale : 100, 500)
  }
  const goneMs = await Promise.all(going)
  await crowd.agree()
  const client = await redisClient(redis.url)
  const stored = await client.hLen(keysOf('killed', 'hereabouts')[1]!)
  client.destroy()
  return { crowd, agreedMs, goneMs, ghosts: stored - crowd.size }
}

async function gone(isSeen: () => boolean, withinMs: number): Promise<number> {
  const began = performance.now()
  await until('a visitor is gone', () => !isSeen(), withinMs)
  return Math.round(performance.now() - began)
}
