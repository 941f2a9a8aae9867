import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { chartOf } from './chart.mjs'
import { contestants } from './contestants.mjs'
import { aligned, tableOf } from './figures.mjs'
import { targets } from './targets.mjs'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const kept = path('results.json')
const doc = path('../docs/PERFORMANCE.md')
const chart = path('../docs/performance.svg')
const charted = ['fan-out', 'hot-room', 'small-rooms']

const titleOf = (contestant) => contestants.find(({ name }) => name === contestant).title

export function print(result) {
  console.log(aligned(tableOf(result, titleOf)))
}

/** Adds a result to those of earlier runs, which are kept in a file, so that one scenario can be measured again. */
export function remember(result) {
  const results = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : {}
  const machine = `Node ${process.version}, ${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown model'}`
  const rounds = Math.max(...result.runs.map(({ round }) => round))
  results[result.scenario] = { ...result, machine, rounds: rounds === 1 ? 'one round' : `${rounds} rounds` }
  writeFileSync(kept, JSON.stringify(results))
  return results
}

/** Writes the results into the page, between its markers, and draws the chart. */
export function writeDocs(results) {
  const text = readFileSync(doc, 'utf8')
  writeFileSync(doc, between(between(text, 'targets', targetTable(results)), 'results', resultTables(results)))
  const panels = charted
    .filter((name) => results[name])
    .map((name) => ({
      title: `${name}: ${results[name].title}`,
      bars: results[name].rows.map(({ contestant, updatesPerCpuSecond }) => ({
        contestant,
        label: titleOf(contestant),
        value: updatesPerCpuSecond,
      })),
    }))
  const note = 'By turns on one busy machine. More is better; each panel has a scale of its own.'
  if (panels.length > 0)
    writeFileSync(chart, chartOf(panels, { title: 'Updates delivered per second of server CPU', note }))
}

function between(text, name, inner) {
  const [begin, end] = [`<!-- ${name}: written by npm run bench -->`, `<!-- end of ${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from === -1 || to === -1) throw new Error(`docs/PERFORMANCE.md has no markers "${name}": restore both comments.`)
  return `${text.slice(0, from + begin.length)}\n\n${inner}\n\n${text.slice(to)}`
}

function targetTable(results) {
  const rows = targets.map(({ what, bar, value, show, isMet }) => {
    const measured = value(results)
    if (!Number.isFinite(measured)) return [what, bar, 'not measured', '']
    return [what, bar, show(measured), isMet(measured) ? 'yes' : '**no**']
  })
  return markdown([['', 'at least', 'measured', 'reached'], ...rows])
}

function resultTables(results) {
  return Object.values(results)
    .map(
      (result) =>
        `### ${result.scenario}: ${result.title}\n\n${markdown(tableOf(result, titleOf))}\n\n${result.machine}; ${result.rounds}.`,
    )
    .join('\n\n')
}

/** Formats a table as Prettier does, so that a run leaves nothing to format. */
function markdown([head, ...rows]) {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column].length)))
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n')
}
