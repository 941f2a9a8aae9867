import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as passing } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { built } from '../support/built.js'
import { Crowd, percentile } from '../support/crowd.js'
import { Ends } from '../support/ends.js'
import { redisServer, skipWithoutRedis } from '../support/redis-server.js'
import { roundRobin } from '../support/round-robin.js'
import { until } from '../support/until.js'

/* Many rooms, many people, and servers that are processes of their own: a little in CI, all of it by npm run soak:redis. */

const isSoak = process.env['SOAK'] !== undefined
const nodeFile = fileURLToPath(new URL('../support/node-process.mjs', import.meta.url))
const said = (what: string, figures: object) => console.log(`${what}: ${JSON.stringify(figures)}`)

/** A server to kill. */
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

async function victims(ends: Ends, count: number, env: Record<string, string> = {}): Promise<Victim[]> {
  built('package')
  const redis = ends.use(await redisServer())
  const starting = Array.from({ length: count }, () => new Victim({ ...env, REDIS_URL: redis.url }).start())
  return (await Promise.all(starting)).map((victim) => ends.use(victim))
}

describe.skipIf(skipWithoutRedis)('servers of their own', { timeout: isSoak ? 600_000 : 60_000 }, () => {
  test('many rooms, and nobody goes to the same server twice', async () => {
    const [rooms, people, forMs] = isSoak ? [50, 10, 60_000] : [8, 6, 3_000]
    const ends = new Ends()
    try {
      const nodes = await victims(ends, 3, { SCALE: '1' })
      const balancer = ends.use(await roundRobin(nodes.map(({ url }) => url)))
      const seats = Array.from({ length: people }, () => balancer.url)
      const gathering = Array.from({ length: rooms }, (_, i) => Crowd.gather(seats, `many ${i}`, 30_000))
      const crowds = (await Promise.all(gathering)).map((crowd) => ends.use(crowd))
      await Promise.all(crowds.map((crowd) => crowd.stroll(forMs, isSoak ? 3_000 : 1_000)))
      const agreedMs = Math.max(...(await Promise.all(crowds.map((crowd) => crowd.agree()))))
      const delays = crowds.flatMap((crowd) => crowd.delays)
      const p99 = percentile(delays, 99)
      said('many rooms', {
        rooms,
        clients: rooms * people,
        seen: delays.length,
        p50: percentile(delays, 50),
        p99,
        agreedMs,
      })
      for (const crowd of crowds) expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    } finally {
      await ends.end()
    }
  })

  test('servers are killed one after the other, and nobody is seen to leave', async () => {
    const rounds = isSoak ? 50 : 3
    const ends = new Ends()
    try {
      const nodes = await victims(ends, 3, { SCALE: '0.2' })
      const balancer = ends.use(await roundRobin(nodes.map(({ url }) => url)))
      const crowd = ends.use(
        await Crowd.gather(
          Array.from({ length: 12 }, () => balancer.url),
          'killed',
          30_000,
        ),
      )
      const figures = []
      for (let round = 0; round < rounds; round++) {
        const victim = nodes[round % 3]!
        const strolling = crowd.stroll(600, 200)
        balancer.targets = nodes.filter((node) => node !== victim).map(({ url }) => url)
        await victim.kill()
        await strolling
        figures.push(await crowd.agree())
        await victim.start()
        balancer.targets = nodes.map(({ url }) => url)
        await passing(100)
      }
      said('kill -9', { rounds, p50: percentile(figures, 50), most: Math.max(...figures), left: crowd.left })
      expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    } finally {
      await ends.end()
    }
  })
})
