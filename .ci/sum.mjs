// node .ci/sum.mjs CODE STEP REPORT...: prints the flaky files, the skipped tests and the sum of vitest's reports. CODE is
// the exit code of the CI run and STEP is the step at which it ended.
//
// A report NAME.again-N.json is the second run of one file of NAME.json. Its results replace the first ones.
import { existsSync, readFileSync } from 'node:fs'
import { basename, relative } from 'node:path'

const [code, step, ...paths] = process.argv.slice(2)
const reports = paths
  .filter((path) => existsSync(path))
  .map((path) => ({ path, isAgain: path.includes('.again-'), run: basename(path).split('.')[0], ...readReport(path) }))

function readReport(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** The results of each file of each run: `{ file, results, isFlaky }`. */
const files = new Map()
for (const { run, isAgain, testResults } of reports.toSorted((a, b) => Number(a.isAgain) - Number(b.isAgain))) {
  const ofRun = new Map()
  for (const result of testResults) {
    const file = relative('.', result.name)
    ofRun.set(file, [...(ofRun.get(file) ?? []), result])
  }
  for (const [file, results] of ofRun) {
    const isFlaky = isAgain && results.every(({ status }) => status === 'passed')
    files.set(`${run} ${file}`, { file, results, isFlaky })
  }
}

let passed = 0
let failed = 0
const skipped = []
const failures = []
for (const { file, results } of files.values())
  for (const { status, assertionResults } of results) {
    // A file that does not load has no tests.
    if (status === 'failed' && assertionResults.length === 0) {
      failed++
      failures.push(`${file}: did not load`)
    }
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'passed') passed++
      else if (status === 'failed') {
        failed++
        failures.push(`${file}: ${fullName}${firstLine(failureMessages)}`)
      } else skipped.push(`${file}: ${fullName}`)
    }
  }

/** The failure's first line: the log of a long run is often shown shortened, its last lines never. */
function firstLine([message = ''] = []) {
  const line = message.split('\n', 1)[0].slice(0, 300)
  return line && `: ${line}`
}

console.log()
for (const failure of failures) console.log(`failed: ${failure}`)
// With REQUIRE_CHROMIUM=1 and everything installed, there is no reason to skip a test.
for (const name of skipped) console.log(`skipped: ${name}`)
failed += skipped.length
if (code !== '0' && failed === 0) failed = 1
if (code !== '0') console.log(`ended at: ${step}, with ${code}`)
for (const { file, isFlaky } of files.values()) if (isFlaky) console.log(`flaky: ${file}`)
console.log(`${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
