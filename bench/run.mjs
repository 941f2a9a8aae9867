import { setTimeout as passing } from 'node:timers/promises'
import { Latencies } from './load/latencies.mjs'
import { startLoad, startServer } from './processes.mjs'

/* One run of one contestant in one scenario. */

const loads = 2
const openPerSecond = 2_000

/** @returns the figures of one run. */
export async function run(scenario, contestant, { stalls = 0, profileTo } = {}) {
  const server = await startServer(contestant.server)
  const crowd = new Crowd(server.url, contestant.dialect, scenario.rooms)
  try {
    const kinds = { flow, stalled: flow, idle, joins }
    return await kinds[scenario.kind]({ scenario, server, crowd, stalls, profileTo })
  } finally {
    await Promise.all([server.end(), crowd.end()])
  }
}

/** Spreads members and rooms over the load processes. With many rooms, each room is in one process. */
class Crowd {
  #processes = Array.from({ length: loads }, startLoad)
  #shares = this.#processes.map(() => ({ streams: [], members: [] }))
  #url
  #dialect
  size = 0

  constructor(url, dialect, rooms) {
    this.#url = url
    this.#dialect = dialect
    this.roomSize = Math.max(1, ...rooms.map(({ members }) => members))
    for (const [nth, { id: room, members, watchers }] of rooms.entries()) {
      for (let i = 0; i < members + watchers; i++) {
        const { streams, members: movers } = this.#shares[rooms.length > 1 ? nth % loads : i % loads]
        // Watchers come first, because the first streams of a process are the ones that stall.
        const isMember = i >= watchers
        const memberId = isMember ? `${room}-${i - watchers}` : null
        if (isMember) movers.push({ room, memberId, index: i - watchers, stream: streams.length })
        streams.push({ room, memberId })
        this.size += 1
      }
    }
  }

  async open() {
    return this.#openAll(
      this.#shares.map(({ streams }) => streams),
      openPerSecond,
    )
  }

  /** Adds watchers to the first room. */
  async join(count, perSecond) {
    const [{ room }] = this.#shares[0].streams
    return this.#openAll(
      this.#processes.map(() => Array.from({ length: count / loads }, () => ({ room, memberId: null }))),
      perSecond,
    )
  }

  move(perSecond) {
    return this.#each((load, nth) =>
      load.ask('move', { ...this.#server, members: this.#shares[nth].members, perSecond }),
    )
  }

  stall(count) {
    return this.#each((load, nth) => load.ask('stall', { count: Math.floor((count + nth) / loads) }))
  }

  clear() {
    return this.#each((load) => load.ask('clear'))
  }

  async counted() {
    const parts = await this.#each((load) => load.ask('counted'))
    return { ...sums(parts, ['updates', 'events', 'bytes', 'posts', 'broken']), latencies: merged(parts, 'latencies') }
  }

  /** Stops all moves. Resolves with the number of wrong locations that viewers still show after a time to converge. */
  async rest(patienceMs) {
    const parts = await this.#each((load) => load.ask('rest'))
    const truths = {}
    for (const { room, index, seq } of parts.flatMap(({ truth }) => truth)) (truths[room] ??= [])[index] = seq
    const end = performance.now() + patienceMs
    for (;;) {
      const { wrong } = sums(await this.#each((load) => load.ask('wrong', { truths })), ['wrong'])
      if (wrong === 0 || performance.now() > end) return { lost: wrong, ...sums(parts, ['failed']) }
      await passing(50)
    }
  }

  end() {
    return this.#each((load) => load.end())
  }

  get #server() {
    return { url: this.#url, dialect: this.#dialect }
  }

  async #openAll(streams, perSecond) {
    const about = { ...this.#server, roomSize: this.roomSize, perSecond: perSecond / loads, patienceMs: 30_000 }
    const parts = await this.#each((load, nth) => load.ask('open', { ...about, streams: streams[nth] }))
    const latest = (of) => Math.max(...parts.map((part) => part[of]))
    return {
      ...sums(parts, ['live']),
      joins: merged(parts, 'joins'),
      lastOpenedAt: latest('lastOpenedAt'),
      lastLiveAt: latest('lastLiveAt'),
    }
  }

  #each(work) {
    return Promise.all(this.#processes.map(work))
  }
}

async function flow({ scenario, server, crowd, stalls, profileTo }) {
  const { perSecond, warmMs, windowMs, kind } = scenario
  const { live } = await crowd.open()
  await crowd.move(perSecond)
  await passing(warmMs)
  const before = kind === 'stalled' ? await server.ask('settle') : null
  if (stalls > 0) await crowd.stall(stalls)
  await crowd.clear()
  const { counts, cpuMs, wallMs } = await during(server, crowd, windowMs, profileTo)
  const { lost, failed } = await crowd.rest(2_000)
  const after = kind === 'stalled' ? await server.ask('settle') : null
  const { updates, events, bytes, posts, broken, latencies } = counts
  return {
    live,
    failed,
    broken,
    lost,
    updatesPerCpuSecond: updates / (cpuMs / 1_000),
    updatesPerSecond: updates / (wallMs / 1_000),
    eventsPerSecond: events / (wallMs / 1_000),
    postsPerSecond: posts / (wallMs / 1_000),
    cpuMicrosPerEvent: (cpuMs * 1_000) / events,
    cpuMicrosPerUpdate: (cpuMs * 1_000) / updates,
    cpuMicrosPerPost: (cpuMs * 1_000) / posts,
    cpuShare: cpuMs / wallMs,
    bytesPerUpdate: bytes / updates,
    p50: latencies.at(0.5),
    p99: latencies.at(0.99),
    ...(before && { heapGrowth: after.heap + after.external - before.heap - before.external }),
    ...(before && { rssGrowth: after.rss - before.rss }),
  }
}

async function idle({ scenario, server, crowd, profileTo }) {
  const before = await server.ask('settle')
  const { live } = await crowd.open()
  await passing(scenario.warmMs)
  const after = await server.ask('settle')
  await crowd.clear()
  const { cpuMs, wallMs } = await during(server, crowd, scenario.warmMs, profileTo)
  return {
    live,
    heapPerStream: (after.heap + after.external - before.heap - before.external) / live,
    rssPerStream: (after.rss - before.rss) / live,
    cpuShare: cpuMs / wallMs,
  }
}

async function joins({ scenario, server, crowd, profileTo }) {
  await crowd.open()
  await crowd.move(4)
  await passing(scenario.warmMs)
  await crowd.rest(2_000)
  let storm
  const work = async () => (storm = await crowd.join(scenario.joins, scenario.perSecond))
  const { cpuMs } = await during(server, crowd, work, profileTo)
  return {
    live: storm.live,
    cpuMsPerJoin: cpuMs / storm.live,
    p50: storm.joins.at(0.5),
    p99: storm.joins.at(0.99),
    lastLiveMs: storm.lastLiveAt - storm.lastOpenedAt,
  }
}

/** Measures deliveries and the server's resource usage for a time or during an action. */
async function during(server, crowd, work, profileTo) {
  if (profileTo) await server.ask('profile')
  const began = await server.ask('usage')
  if (typeof work === 'number') await passing(work)
  else await work()
  const [counts, ended] = await Promise.all([crowd.counted(), server.ask('usage')])
  if (profileTo) await server.ask('saveProfile', { path: profileTo })
  return { counts, cpuMs: ended.cpuMs - began.cpuMs, wallMs: ended.at - began.at }
}

const sums = (parts, names) =>
  Object.fromEntries(names.map((name) => [name, parts.reduce((all, part) => all + part[name], 0)]))

function merged(parts, name) {
  const all = new Latencies()
  for (const part of parts) all.merge(part[name])
  return all
}
