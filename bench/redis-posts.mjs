// @ts-check
// npm run bench:redis: measures how many posts a second one Redis accepts through the script that a server uses, and
// the CPU time of a post in Redis. Starts a redis-server of its own on this machine.
import { redisBackend } from 'hereabouts/server/redis'
import { startRedis } from './redis-server.mjs'

const seconds = Number(process.env['SECONDS_EACH'] ?? 4)

const redis = await startRedis()
const { client, cpuSeconds } = redis

const silent = { info() {}, warn() {}, error() {} }
const clock = {
  now: () => performance.now(),
  date: () => new Date(),
  /** @param {number} delayMs @param {() => void} run */
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
let bytesEach = 0
const rules = {
  tombstoneMs: 60_000,
  roomConnections: 1_000,
  memberConnections: 10,
  lockMs: 30_000,
  claimMs: 5_000,
  connectionLocks: 8,
  roomLocks: 1_000,
}

/** @param {number} rooms @param {number} people in each @param {number} batch posts in one call */
async function measure(rooms, people, batch) {
  const backend = redisBackend({ client, prefix: `bench${rooms}-${people}-${batch}`, timeoutMs: 60_000 })
  await backend.ready(silent)
  const opened = await Promise.all(
    Array.from({ length: rooms }, (_, i) =>
      backend.open(`room ${i}`, { clock, rules, sweepMs: 500, onCommit() {}, onReset() {} }),
    ),
  )
  let posts = 0
  let seq = 0
  const end = performance.now() + 1_000 * seconds
  const cpuBefore = await cpuSeconds()
  const began = performance.now()
  const poster = async (/** @type {(typeof opened)[number]} */ room) => {
    for (let turn = 0; performance.now() < end; turn++) {
      const actions = Array.from({ length: batch }, (_, i) => postOf((turn * batch + i) % people, ++seq))
      await room.act(actions)
      posts += batch
    }
  }
  await Promise.all(opened.map(poster))
  const tookMs = performance.now() - began
  const cpuMs = ((await cpuSeconds()) - cpuBefore) * 1_000
  console.log(
    `${`${rooms} rooms of ${people}, ${batch} posts a call`.padEnd(44)}${Math.round((posts * 1_000) / tookMs)
      .toLocaleString('en')
      .padStart(9)} posts/s ${((cpuMs * 1_000) / posts).toFixed(1).padStart(7)} µs of Redis each`,
  )
  const keys = /** @type {string[]} */ (await client.sendCommand(['KEYS', `bench${rooms}-${people}-${batch}:*`]))
  let bytes = 0
  for (const key of keys) bytes += Number(await client.sendCommand(['MEMORY', 'USAGE', key, 'SAMPLES', '0']))
  bytesEach = Math.max(bytesEach, Math.round(bytes / (rooms * people)))
  await backend.close()
  return (posts * 1_000) / tookMs
}

/** @param {number} person @param {number} seq */
function postOf(person, seq) {
  const value = { sheet: 'Q3', row: seq, col: person }
  const location = { json: `{"col":${person},"row":${seq},"sheet":"Q3"}`, value }
  const connectionId = `connection-${String(person).padStart(5, '0')}`
  const rest = { owned: true, profile: undefined, activity: undefined, leaseMs: 30_000 }
  return /** @type {const} */ ({ type: 'post', connectionId, memberId: `member ${person}`, seq, location, ...rest })
}

try {
  const figures = []
  for (const [rooms, people, batch] of [
    [1, 1_000, 200],
    [8, 200, 100],
    [50, 200, 20],
    [200, 50, 5],
    [500, 10, 1],
  ])
    figures.push(await measure(rooms ?? 1, people ?? 1, batch ?? 1))
  console.log(`most: ${Math.round(Math.max(...figures)).toLocaleString('en')} posts/s`)
  console.log(`memory: at most ${bytesEach} bytes of Redis for each connection present`)
} finally {
  redis.end()
}
