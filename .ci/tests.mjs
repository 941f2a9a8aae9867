// node .ci/tests.mjs NAME COMMAND...: runs a command that runs vitest, and writes its report to $REPORTS/NAME.json.
//
// A file that fails is run once more, alone. If it then passes, it is reported as flaky and does not fail the run. The
// second report is $REPORTS/NAME.again-1.json and so on; .ci/sum.mjs reads both.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const [name, ...command] = process.argv.slice(2)
const folder = process.env.REPORTS

/** Runs a command with vitest's reporters added. Returns its exit code and its report. */
function run([program, ...args], report) {
  const path = join(folder, report)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${path}`]
  const { status } = spawnSync(program, [...args, ...reporters], { stdio: 'inherit' })
  return { code: status ?? 1, report: existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null }
}

const first = run(command, `${name}.json`)
if (first.code === 0) process.exit(0)
const failed = new Set(
  first.report?.testResults.filter(({ status }) => status === 'failed').map(({ name }) => relative('.', name)),
)
// With no report, or with no failed file in it, vitest itself failed. Many failures are not a matter of chance.
if (failed.size === 0 || failed.size > 5) process.exit(first.code)

let count = 0
let code = 0
for (const file of failed) {
  console.log(`\nonce more, alone: ${file}`)
  // The same Node as this process: COMMAND may run under another one than the default.
  const again = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', file]
  if (run(again, `${name}.again-${++count}.json`).code !== 0) code = 1
}
process.exit(code)
