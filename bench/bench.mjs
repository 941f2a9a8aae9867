#!/usr/bin/env node
/*
 * Compares Hereabouts with other servers. The servers take turns, so that noise of the machine affects all alike.
 *
 *     npm run bench                      all scenarios; writes docs/PERFORMANCE.md and its chart
 *     npm run bench -- --quick           under a minute, writes nothing
 *     npm run bench -- --only hot-room   one scenario
 *     npm run bench -- --rounds 5        for a noisy machine
 *     npm run bench -- --only hot-room --against hereabouts --profile
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { contestants } from './contestants.mjs'
import { endAll } from './processes.mjs'
import { hottest } from './profile.mjs'
import { median } from './figures.mjs'
import { print, remember, writeDocs } from './report.mjs'
import { scenarios } from './scenarios.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    against: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
})

for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    endAll()
    process.exit(130)
  })

prepare()
const all = scenarios(values.quick)
const chosen = all.filter(({ name }) => !values.only || values.only.includes(name))
if (chosen.length === 0)
  throw new Error(`Unknown scenario in --only. Choose one of: ${all.map(({ name }) => name).join(', ')}`)

console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`)
console.log(
  'Lifted on our own server: 10,000 connections a room (for 1,000), 1,000 posts a second and member (for 30), no reader is cut for stalling (for 10 s). Nothing is lifted for the others: they have no such limits.',
)
try {
  for (const scenario of chosen) await play(scenario)
} finally {
  endAll()
}

/** Runs the contestants in turn, once for each round: A B C, A B C. */
async function play(scenario) {
  console.log(`\n== ${scenario.name}: ${scenario.title}`)
  const rounds = Number(values.rounds ?? scenario.rounds)
  const players = contestants.filter(
    ({ name }) => scenario.contestants.includes(name) && (!values.against || values.against.includes(name)),
  )
  // Imported only now, because the packages of the peers have just been installed.
  const { run } = await import('./run.mjs')
  const runs = []
  for (let round = 1; round <= rounds; round++)
    for (const player of players)
      for (const stalls of stallsOf(scenario, player)) {
        const label = scenario.stalls ? `${player.name}, ${stalls} stalled` : player.name
        progress(`   round ${round} of ${rounds}: ${label}`)
        const profileTo = values.profile ? profilePath(scenario, player) : undefined
        const figures = await run(scenario, player, { stalls, profileTo })
        runs.push({ round, contestant: player.name, stalls, figures })
        if (profileTo) console.log(`\n${hottest(profileTo)}`)
      }
  progress('')
  const result = { scenario: scenario.name, title: scenario.title, kind: scenario.kind, runs, rows: rowsOf(runs) }
  print(result)
  if (scenario.ratio) console.log(ratioOf(scenario.ratio, result.rows))
  if (values.quick || values.against) return
  writeDocs(remember(result))
}

/** Returns a line about one figure of two contestants. */
function ratioOf({ what, figure, of, to, most }, rows) {
  const [one, other] = [of, to].map((name) => rows.find(({ contestant }) => contestant === name)?.[figure])
  const ratio = (one / other).toFixed(2)
  return `ratio: ${what}, ${of} to ${to}: ${ratio}${most === undefined ? '' : ` (target: at most ${most})`}`
}

/** The number of stalled readers of each run. */
function stallsOf({ stalls = [0], peerStalls = stalls }, { name }) {
  return name === 'hereabouts' ? stalls : peerStalls
}

/** Returns the median over the rounds, for each figure separately. */
function rowsOf(runs) {
  const rows = new Map()
  for (const { contestant, stalls, figures } of runs) {
    const key = `${contestant} ${stalls}`
    if (!rows.has(key)) rows.set(key, { contestant, stalls, all: [] })
    rows.get(key).all.push(figures)
  }
  return Array.from(rows.values(), ({ contestant, stalls, all }) => {
    const figures = Object.keys(all[0]).map((name) => [name, median(all.map((each) => each[name]))])
    return { contestant, stalls, ...Object.fromEntries(figures) }
  })
}

function prepare() {
  if (!existsSync(`${here}peers/node_modules/socket.io`)) {
    console.log('Installing the servers to compare with into bench/peers/node_modules ...')
    command('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], `${here}peers`)
  }
  command(process.execPath, ['../scripts/build.mjs', '--if-stale'], here)
}

function command(name, args, cwd) {
  const { status } = spawnSync(name, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${status}`)
}

function profilePath({ name }, player) {
  mkdirSync(`${here}profiles`, { recursive: true })
  return `${here}profiles/${name}-${player.name}.cpuprofile`
}

function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r${text.padEnd(79)}\r`)
  else if (text) console.log(text)
}
