// node .ci/sum.mjs CODE STEP REPORT...: the sum of vitest's reports, and what is wrong with them. CODE and STEP say how
// and where the run ended.
import { existsSync, readFileSync } from 'node:fs'

const [code, step, ...paths] = process.argv.slice(2)
let passed = 0
let failed = 0
const skipped = []
for (const path of paths.filter((path) => existsSync(path))) {
  const report = JSON.parse(readFileSync(path, 'utf8'))
  passed += report.numPassedTests
  failed += report.numFailedTests
  // A file that does not even load has no tests to fail.
  failed += report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  for (const { name, assertionResults } of report.testResults)
    for (const { status, fullName } of assertionResults)
      if (status !== 'passed' && status !== 'failed') skipped.push(`${name}: ${fullName}`)
}
console.log()
// With REQUIRE_CHROMIUM=1, and everything installed, there is no reason to leave one out.
for (const name of skipped) console.log(`skipped: ${name}`)
if (skipped.length > 0) failed += skipped.length
if (code !== '0' && failed === 0) failed = 1
if (code !== '0') console.log(`ended at: ${step}, with ${code}`)
console.log(`${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
