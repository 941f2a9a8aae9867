// npm run test:repeat: runs test files again and again, to find tests that fail now and then.
//
//   npm run test:repeat -- 20 test/e2e/faults/network.soak.ts test/client
//
// Prints one line a run, and at the end each test that failed with the number of its failures.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [times, ...paths] = process.argv.slice(2)
if (!/^[1-9]\d*$/.test(times ?? '') || paths.length === 0) {
  console.error('Usage: npm run test:repeat -- TIMES PATH...')
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-repeat-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Runs the files once. Returns the names of the tests that failed. */
async function failures() {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--reporter=json', `--outputFile=${report}`, ...paths]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (bytes) => (complaint += bytes))
  const code = await new Promise((resolve) => child.on('close', resolve))
  const { testResults = [] } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {}
  const failed = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name)
    const tests = assertionResults.filter((test) => test.status === 'failed')
    for (const { fullName, failureMessages } of tests) console.log(`  ${file}: ${fullName}\n    ${failureMessages[0]}`)
    // A file that does not load reports no tests, so the file itself is reported.
    if (status === 'failed' && assertionResults.length === 0) return [`${file}: does not load: ${message}`]
    return tests.map(({ fullName }) => `${file}: ${fullName}`)
  })
  return code !== 0 && failed.length === 0 ? [`vitest ended with ${code}: ${complaint.trim()}`] : failed
}

const counts = new Map()
for (let run = 1; run <= Number(times); run++) {
  const began = performance.now()
  const failed = await failures()
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${failed.length === 0 ? '✓' : '✗'}  run ${run} of ${times}, ${seconds} s`)
  for (const name of failed) counts.set(name, (counts.get(name) ?? 0) + 1)
}

console.log(counts.size === 0 ? '\nNo test failed.' : '\nFailed:')
for (const [name, count] of [...counts].toSorted(([, a], [, b]) => b - a)) console.log(`${count} of ${times}  ${name}`)
if (counts.size > 0) process.exitCode = 1
