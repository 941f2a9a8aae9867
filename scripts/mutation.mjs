// npm run mutation: changes one operator, literal or statement of the source at a time (StrykerJS) and counts which changes
// the fast tests notice.
//
//   npm run mutation                          the files that differ from the main branch
//   npm run mutation -- src/shared            these files and folders
//   npm run mutation -- src/a.ts:10-20        these lines of a file
//   npm run mutation -- --check               fails when a file has a lower score than scripts/mutation/scores.json says
//   npm run mutation -- --write src/shared    writes the scores to scores.json and to CONTRIBUTING.md
//   npm run mutation -- --all-tests FILE      with all fast tests, which takes minutes before the first mutant
//   npm run mutation -- --concurrency 1 --minutes 10
//
// Stryker needs Node 22 or newer and packages of its own, which have no place in `npm ci` on Node 20. The first run installs
// them to scripts/mutation/node_modules; on an older Node the command starts itself again on Node 24 by npx.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { entryOf, folders } from './mutation/folders.mjs'
import { countsOf, sumOf, tableOf, unnoticed, worse } from './mutation/scores.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = join(root, 'scripts/mutation')
const reports = join(home, '.reports')
const scoresFile = join(home, 'scores.json')
const stryker = join(home, 'node_modules/@stryker-mutator/core/bin/stryker.js')

class CannotRun extends Error {}

const { values, positionals } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    'all-tests': { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '600' },
  },
  allowPositionals: true,
})

/** Runs a program to its end and returns its output. */
function output(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new CannotRun(`"${program} ${args.join(' ')}" failed: ${error?.message ?? stderr.trim()}`)
  return stdout
}

/** Starts this script again on Node 24, and ends with its exit code. */
function onNewerNode() {
  const again = ['-y', '-p', 'node@24', '--', 'node', fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status, error } = spawnSync('npx', again, { cwd: root, stdio: 'inherit' })
  if (error) throw new CannotRun(`Stryker needs Node 22 or newer, and npx could not start one: ${error.message}`)
  process.exit(status ?? 1)
}

function install() {
  if (existsSync(stryker)) return
  console.log('Installing StrykerJS to scripts/mutation/node_modules (once).')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: home, stdio: 'inherit' })
  if (status !== 0)
    throw new CannotRun(
      'StrykerJS could not be installed. Run "npm ci" in scripts/mutation to see why; it needs the npm registry.',
    )
}

/** True for a file with code, in which a test could notice a change. */
const isSource = (file) => /^src\/.*\.tsx?$/.test(file) && !file.endsWith('.d.ts')

/** The source files that were changed since this branch left the main branch, uncommitted changes included. */
function changedFiles() {
  const main = ['origin/main', 'main'].find(
    (name) => spawnSync('git', ['rev-parse', '--verify', '-q', name], { cwd: root }).status === 0,
  )
  if (!main)
    throw new CannotRun(
      'There is no branch "main" to compare with. Name the files instead: npm run mutation -- src/shared',
    )
  const base = output('git', 'merge-base', main, 'HEAD').trim()
  const changed = output('git', 'diff', '--name-only', '--diff-filter=d', base)
  const added = output('git', 'ls-files', '--others', '--exclude-standard', 'src')
  return `${changed}\n${added}`.split('\n').filter(isSource)
}

/** The source files at a path, with those of its subfolders. */
function filesAt(path) {
  const [, name, range = ''] = /^(.*?)(:\d+-\d+)?$/.exec(path)
  const whole = resolve(root, name)
  if (!existsSync(whole)) throw new CannotRun(`There is no ${path}`)
  if (!statSync(whole).isDirectory()) return [`${relative(root, whole)}${range}`]
  return readdirSync(whole, { recursive: true })
    .map((name) => relative(root, join(whole, name)))
    .filter(isSource)
}

const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    for (const child of running) child.kill('SIGTERM')
    process.exit(130)
  })

/**
 * Runs Stryker on the files of one folder. Returns the results; when the time is up before the end, the results so far.
 */
async function resultsOf({ folder, tests }, files, endsAt) {
  const name = folder.replaceAll('/', '-')
  const report = join(reports, `${name}.jsonl`)
  rmSync(report, { force: true })
  const env = {
    ...process.env,
    MUTATION_FILES: files.join(','),
    MUTATION_TESTS: values['all-tests'] ? 'test' : tests.join(','),
    MUTATION_REPORT: relative(root, report),
    MUTATION_MEMORY: relative(root, join(reports, `${name}-incremental.json`)),
    MUTATION_CONCURRENCY: values.concurrency,
  }
  const config = relative(root, join(home, 'stryker.config.mjs'))
  const child = spawn(process.execPath, [stryker, 'run', config], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  running.add(child)
  let late = false
  const timer = setTimeout(
    () => {
      late = true
      child.kill('SIGTERM')
    },
    Math.max(0, endsAt - Date.now()),
  )
  const code = await new Promise((done) => child.on('close', done))
  clearTimeout(timer)
  running.delete(child)
  if (code !== 0 && !late)
    throw new CannotRun(
      `Stryker ended with ${code} for ${folder}. See its output above: usually, a test fails without any mutant.`,
    )
  if (!existsSync(report)) return { results: [], complete: !late && files.length > 0 }
  const [{ perFile }, ...results] = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  // A file has a score only if all of its mutants were tried.
  const tried = (file) => results.filter((result) => result.file === file).length
  const whole = Object.keys(perFile).filter((file) => tried(file) >= perFile[file])
  return { results: results.filter(({ file }) => whole.includes(file)), complete: !late, partly: results }
}

/** Writes the scores of all listed files to scores.json and, as a table of folders, to CONTRIBUTING.md. */
function publish(counts) {
  const listed = { ...JSON.parse(readFileSync(scoresFile, 'utf8')), ...counts }
  const sorted = Object.fromEntries(
    Object.entries(listed)
      .filter(([file]) => existsSync(join(root, file)))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
  const lines = Object.entries(sorted).map(
    ([file, count]) =>
      `  ${JSON.stringify(file)}: ${JSON.stringify(count)
        .replaceAll(/([:,{])/g, '$1 ')
        .replace('}', ' }')}`,
  )
  writeFileSync(scoresFile, `{\n${lines.join(',\n')}\n}\n`)
  const path = join(root, 'CONTRIBUTING.md')
  const [before, , after] = readFileSync(path, 'utf8').split(/<!-- mutation scores:.*-->\n/)
  const marked = (word) => `<!-- mutation scores: ${word} -->\n`
  const table = `\n${tableOf(rowsOf(sorted))}\n\n`
  writeFileSync(path, `${before}${marked('written by npm run mutation -- --write')}${table}${marked('end')}${after}`)
}

/** Returns one row for each folder that has counts. */
function rowsOf(counts) {
  return folders.flatMap((entry) => {
    const own = Object.keys(counts).filter((file) => entryOf(file) === entry)
    return own.length === 0 ? [] : [{ ...entry, counts: sumOf(own.map((file) => counts[file])) }]
  })
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 22) return onNewerNode()
  const files = positionals.length > 0 ? positionals.flatMap(filesAt) : changedFiles()
  const homeless = files.filter((file) => !entryOf(file))
  if (homeless.length > 0) throw new CannotRun(`scripts/mutation/folders.mjs has no entry for ${homeless.join(', ')}`)
  if (files.length === 0) return console.log('No source file differs from the main branch.')
  install()
  mkdirSync(reports, { recursive: true })

  const endsAt = Date.now() + Number(values.minutes) * 60_000
  const counts = {}
  const late = []
  const open = []
  for (const entry of folders) {
    const own = [...new Set(files)].filter((file) => entryOf(file) === entry)
    if (own.length === 0) continue
    const began = Date.now()
    console.log(`\n== ${entry.folder}: ${own.length} files`)
    const {
      results,
      partly = [],
      complete,
    } = Date.now() < endsAt ? await resultsOf(entry, own, endsAt) : { results: [] }
    console.log(`   ${((Date.now() - began) / 60_000).toFixed(1)} minutes`)
    if (!complete) late.push(entry.folder)
    // Stryker also reports remembered results of other files, which are left out. Results of a range of lines give its
    // file no score.
    const asked = ({ file }) => own.includes(file)
    Object.assign(counts, countsOf(results.filter(asked)))
    open.push(...unnoticed(partly.filter(({ file }) => own.some((path) => path.startsWith(file)))))
  }

  if (open.length > 0) console.log(`\nNo test notices these:\n${open.join('\n')}`)
  console.log(`\n${tableOf(rowsOf(counts))}`)
  if (late.length > 0)
    console.log(`\nThe ${values.minutes} minutes were over before these folders were done: ${late.join(', ')}`)
  if (values.write && Object.keys(counts).length > 0) publish(counts)
  if (!values.check) return
  const lower = worse(counts, JSON.parse(readFileSync(scoresFile, 'utf8')), (file) => entryOf(file).goal)
  for (const sentence of lower) console.error(sentence)
  if (lower.length > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  if (!(error instanceof CannotRun)) throw error
  console.error(error.message)
  process.exitCode = 2
}
