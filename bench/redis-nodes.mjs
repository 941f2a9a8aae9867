// @ts-check
// npm run bench:redis-nodes: measures one, two and three servers on one Redis. Every server has the same number of
// subscribers in the same rooms. Members post to one server and listen at another. The cost of an added server is the
// change in the CPU time and the latency of a delivery.
import { setTimeout as passing } from 'node:timers/promises'
import { aligned } from './figures.mjs'
import { Latencies } from './load/latencies.mjs'
import { endAll, startLoad, startServer } from './processes.mjs'
import { startRedis } from './redis-server.mjs'

const seconds = Number(process.env['SECONDS_EACH'] ?? 15)
const rooms = 10
/** The number of viewers in each room at each server. */
const watchers = 50
/** The number of members in each room, at all servers together. */
const members = 4
const movesPerSecond = 5

const redis = await startRedis()
process.env['REDIS_URL'] = redis.url

/** @param {number} count */
async function measure(count) {
  const each = Array.from({ length: count }, (_, nth) => nth)
  const nodes = await Promise.all(each.map(() => startServer('servers/redis-node.mjs')))
  const urls = /** @type {string[]} */ (nodes.map(({ url }) => url))
  const loads = each.map(() => startLoad())
  try {
    const shares = each.map((nth) => shareOf(nth, count))
    const about = { dialect: 'trpc', roomSize: members, perSecond: 1_000, patienceMs: 30_000 }
    const opened = await Promise.all(
      loads.map((load, nth) => load.ask('open', { ...about, url: urls[nth], streams: shares[nth]?.streams })),
    )
    const live = sum(opened, 'live')
    await Promise.all(
      loads.map((load, nth) => {
        // With more than one server, no member posts to the server at which it listens.
        const url = urls[(nth + 1) % count]
        return load.ask('move', { ...about, url, members: shares[nth]?.movers, perSecond: movesPerSecond })
      }),
    )
    await passing(3_000)
    await Promise.all(loads.map((load) => load.ask('clear')))
    const before = await usage(nodes)
    const redisBefore = await redis.cpuSeconds()
    await passing(seconds * 1_000)
    const after = await usage(nodes)
    const redisMs = ((await redis.cpuSeconds()) - redisBefore) * 1_000
    const counted = await Promise.all(loads.map((load) => load.ask('counted')))
    const latencies = new Latencies()
    for (const each of counted) latencies.merge(each.latencies)
    const updates = sum(counted, 'updates')
    const cpuMs = after.cpuMs - before.cpuMs
    const ms = (after.at - before.at) / count
    return [
      String(count),
      live.toLocaleString('en'),
      Math.round((updates * 1_000) / ms).toLocaleString('en'),
      ((cpuMs * 1_000) / updates).toFixed(1),
      ((100 * cpuMs) / ms / count).toFixed(0),
      latencies.at(0.5).toFixed(1),
      latencies.at(0.99).toFixed(1),
      ((100 * redisMs) / ms).toFixed(1),
      String(await wrong(loads)),
    ]
  } finally {
    await Promise.all([...nodes, ...loads].map((each) => each.end()))
  }
}

/** Describes one load process: the viewers of one server, and its share of the moving members. @param {number} nth @param {number} count */
function shareOf(nth, count) {
  const streams = []
  const movers = []
  for (let i = 0; i < rooms; i++) {
    const room = `scaling ${count} ${i}`
    for (let watcher = 0; watcher < watchers; watcher++) streams.push({ room, memberId: null })
    for (let index = 0; index < members; index++) {
      if ((i + index) % count !== nth) continue
      const memberId = `${room} ${index}`
      movers.push({ room, memberId, index, stream: streams.length })
      streams.push({ room, memberId })
    }
  }
  return { streams, movers }
}

/** @param {any[]} nodes */
async function usage(nodes) {
  const all = await Promise.all(nodes.map((node) => node.ask('usage')))
  return { cpuMs: sum(all, 'cpuMs'), at: sum(all, 'at') }
}

/** Counts the wrong locations that subscribers show after all members stopped moving. @param {any[]} loads */
async function wrong(loads) {
  const rested = await Promise.all(loads.map((load) => load.ask('rest')))
  /** @type {Record<string, number[]>} */
  const truths = {}
  for (const { room, index, seq } of rested.flatMap(({ truth }) => truth)) (truths[room] ??= [])[index] = seq
  await passing(2_000)
  return sum(await Promise.all(loads.map((load) => load.ask('wrong', { truths }))), 'wrong')
}

/** @param {any[]} all @param {string} name */
const sum = (all, name) => all.reduce((total, each) => total + each[name], 0)

try {
  const head = [
    'servers',
    'subscribers',
    'delivered/s',
    'server µs each',
    'CPU % each',
    'p50 ms',
    'p99 ms',
    'Redis CPU %',
  ]
  const table = [[...head, 'wrong final states']]
  for (const count of [1, 2, 3]) table.push(await measure(count))
  console.log(aligned(table))
} finally {
  endAll()
  redis.end()
}
