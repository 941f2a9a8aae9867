// npm run mutants: removes each rule from a copy of the source and expects a test to fail.
//
//   npm run mutants                      all of test/mutants.mjs
//   npm run mutants -- seq tombstone     mutants whose name or rule contains one of these words
//   npm run mutants -- --list FILE       another list
//   npm run mutants -- --part 2/4        the second quarter of the list
//   npm run mutants -- --jobs 1          one mutant at a time. Default: one for each core
//   npm run mutants -- --least 90        succeeds when 90 percent are noticed. Default: 100
//
// The list's default export: { name, rule, file, find, replace, tests: [vitest files or folders] }[]
// `find` must occur in the file exactly once. Otherwise the list is out of date.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const copied = ['src', 'test', 'docs/troubleshooting.md', 'package.json', 'tsconfig.json', 'vitest.config.ts']
// A mutant may loop forever: tests that do not end within this time have noticed it.
const patienceMs = 300_000
// The first run has no mutation and may have to run all tests.
const firstRunMs = 30 * 60_000
const neverEnds = 'the tests did not end'

const { values, positionals } = parseArgs({
  options: {
    list: { type: 'string', default: join(root, 'test/mutants.mjs') },
    part: { type: 'string', default: '1/1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    least: { type: 'string', default: '100' },
  },
  allowPositionals: true,
})

class OutOfDate extends Error {}

/** Returns the source of a mutant's file with the mutation. */
function mutated({ name, file, find, replace, tests }) {
  const source = readFileSync(join(root, file), 'utf8')
  const times = source.split(find).length - 1
  if (times !== 1) throw new OutOfDate(`"${name}": ${file} has this ${times} times, not once:\n  ${find}`)
  if (find === replace) throw new OutOfDate(`"${name}" changes nothing`)
  for (const path of tests) if (!existsSync(join(root, path))) throw new OutOfDate(`"${name}": there is no ${path}`)
  return source.replace(find, () => replace)
}

/** Runs vitest in a copy of the repository. Returns the first test that failed, or `null` if all passed. */
async function firstRed(copy, tests, limitMs, ...more) {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--bail=1', '--reporter=json', `--outputFile=${report}`, ...more, ...tests]
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let complaint = ''
  child.stderr.on('data', (bytes) => (complaint += bytes))
  let late = false
  // The whole process group is killed, because a worker of vitest may loop forever.
  const kill = () => {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The process has already ended.
    }
  }
  const timer = setTimeout(() => {
    late = true
    kill()
  }, limitMs)
  running.add(kill)
  const code = await new Promise((done) => child.on('close', done))
  running.delete(kill)
  clearTimeout(timer)
  if (late) return `${neverEnds} within ${limitMs / 1000} s`
  if (code === 0) return null
  const { testResults = [] } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {}
  for (const { assertionResults } of testResults)
    for (const { status, fullName } of assertionResults) if (status === 'failed') return fullName
  // A test file that does not load is an error: a mutation must change behaviour, not break the code.
  throw new Error(
    testResults.find(({ message }) => message)?.message ??
      (complaint.trim() || `vitest ended with ${code} and no report`),
  )
}

const running = new Set()
const copies = []
function cleanUp() {
  for (const kill of running) kill()
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
}
process.on('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

function makeCopy() {
  const copy = mkdtempSync(join(tmpdir(), 'hereabouts-mutant-'))
  copies.push(copy)
  for (const path of copied) cpSync(join(root, path), join(copy, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Returns the part of the list that `--part K/N` names. */
function partOf(list) {
  const [, part, parts] = /^(\d+)\/(\d+)$/.exec(values.part)?.map(Number) ?? []
  if (!(part >= 1 && part <= parts)) throw new OutOfDate(`--part ${values.part} is not K/N with 1 <= K <= N`)
  const size = list.length / parts
  return list.slice(Math.round(size * (part - 1)), Math.round(size * part))
}

async function main() {
  const { default: all } = await import(pathToFileURL(resolve(values.list)).href)
  const chosen = partOf(all).filter(
    ({ name, rule }) => positionals.length === 0 || positionals.some((word) => `${name} ${rule}`.includes(word)),
  )
  if (chosen.length === 0)
    throw new OutOfDate(positionals.length > 0 ? `No mutant is called ${positionals.join(' or ')}` : 'It is empty')
  const mutants = chosen.map((mutant) => ({ ...mutant, source: mutated(mutant) }))

  // A failure means something only if the tests pass without a mutation.
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))]
  console.log(`${mutants.length} mutants. First, their ${tests.length} test files without any mutation`)
  const already = await firstRed(makeCopy(), tests, firstRunMs)
  if (already) throw new Error(`No mutant was tried, because a test fails without any mutation: ${already}`)

  const wide = Math.max(...mutants.map(({ name }) => name.length))
  const queue = [...mutants]
  let survived = 0
  let broken = 0
  let endless = 0
  const place = () => `${mutants.length - queue.length}/${mutants.length}`.padStart(9)
  async function worker() {
    const copy = makeCopy()
    for (let mutant; (mutant = queue.shift());) {
      const { name, rule, file, source, tests } = mutant
      writeFileSync(join(copy, file), source)
      try {
        const red = await firstRed(copy, tests, patienceMs, '--maxWorkers=1')
        if (!red) survived++
        if (red?.startsWith(neverEnds)) endless++
        console.log(
          `${place()}  ${red ? '✓' : '✗'}  ${name.padEnd(wide)}  ${red ?? `SURVIVED: nothing holds "${rule}"`}`,
        )
      } catch (error) {
        broken++
        console.log(`${place()}  !  ${name.padEnd(wide)}  does not run: ${error.message.split('\n')[0]}`)
      }
      cpSync(join(root, file), join(copy, file))
    }
  }
  await Promise.all(Array.from({ length: Math.min(Number(values.jobs) || 1, mutants.length) }, worker))
  // A mutant that does not run counts like a survivor: no test has noticed it.
  const score = (100 * (mutants.length - survived - broken)) / mutants.length
  console.log(
    `\n${mutants.length} mutants: ${mutants.length - survived - broken} noticed (${endless} by tests that did not end), ` +
      `${survived} survived, ${broken} did not run. Score: ${Math.floor(score)} %`,
  )
  if (score < Number(values.least)) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(error instanceof OutOfDate ? `The list of mutants is out of date. ${error.message}` : error.message)
  process.exitCode = 1
}
