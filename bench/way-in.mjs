#!/usr/bin/env node
/*
 * Measures the cost of receiving posts: 200 members in 20 rooms, 10 posts a second each, without subscribers. Three
 * servers take turns: a node:http server that only reads and answers at a tick, Hereabouts, and its router under tRPC.
 *
 *     node bench/way-in.mjs --rounds 3
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { aligned, median } from './figures.mjs'
import { endAll, startLoad, startServer } from './processes.mjs'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '5' } },
})
const servers = {
  'node:http, which only answers': 'servers/tick.mjs',
  Hereabouts: 'servers/hereabouts.mjs',
  'stock tRPC, our router': 'servers/trpc.mjs',
}
const members = Array.from({ length: 200 }, (_, i) => ({
  stream: -1,
  room: `room ${i % 20}`,
  memberId: `member ${i}`,
  index: Math.floor(i / 20),
}))

spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (endAll(), process.exit(130)))

const rounds = []
try {
  for (let round = 1; round <= Number(values.rounds); round++) {
    process.stderr.write(`round ${round} of ${values.rounds}\n`)
    const costs = []
    for (const file of Object.values(servers)) costs.push(await costOfPost(file))
    rounds.push(costs)
  }
} finally {
  endAll()
}

const rows = Object.keys(servers).map((name, i) => {
  const costs = rounds.map((round) => round[i])
  const ratios = rounds.map((round) => round[i].micros / round[0].micros)
  return [
    name,
    median(costs.map(({ micros }) => micros)).toFixed(0),
    `${median(ratios).toFixed(2)}x`,
    median(costs.map(({ perSecond }) => perSecond)).toFixed(0),
  ]
})
console.log(aligned([['', 'µs server CPU / post', 'against the first', 'posts/s'], ...rows]))

async function costOfPost(file) {
  const server = await startServer(file)
  const load = startLoad()
  try {
    await load.ask('move', { url: server.url, dialect: 'trpc', members, perSecond: 10 })
    await passing(2_000)
    await load.ask('clear')
    const before = await server.ask('usage')
    await passing(Number(values.seconds) * 1_000)
    const after = await server.ask('usage')
    const { posts } = await load.ask('counted')
    return {
      micros: ((after.cpuMs - before.cpuMs) * 1_000) / posts,
      perSecond: (posts * 1_000) / (after.at - before.at),
    }
  } finally {
    await Promise.all([server.end(), load.end()])
  }
}
