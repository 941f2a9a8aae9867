// npm run check: runs the checks that must pass before a change is merged. CI runs it too.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The steps in order: name, script in package.json, and arguments. The first failure stops the run. */
const steps = [
  ['format', 'check:format'],
  ['lint', 'check:lint'],
  ['sentences', 'check:sentences'],
  ['types', 'check:types'],
  ['unused', 'check:unused'],
  ['workflows', 'check:workflows'],
  ['build', 'build', 'package', 'demo'],
  ['package', 'check:package'],
  ['bytes', 'bytes'],
  ['tests', 'test'],
]

function run(script, ...args) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = []
    child.stdout.on('data', (bytes) => output.push(bytes))
    child.stderr.on('data', (bytes) => output.push(bytes))
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString() }))
  })
}

const skipped = process.argv
  .slice(2)
  .flatMap((arg) => (arg.startsWith('--skip=') ? arg.slice('--skip='.length).split(',') : []))
for (const name of skipped) {
  if (steps.some(([step]) => step === name)) continue
  console.error(`Unknown step "${name}". The steps are: ${steps.map(([step]) => step).join(', ')}`)
  process.exit(1)
}

for (const [name, ...command] of steps) {
  if (skipped.includes(name)) {
    console.log(`-  ${name.padEnd(16)} skipped on request`)
    continue
  }
  const began = performance.now()
  const { code, output } = await run(...command)
  const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`
  console.log(`${code === 0 ? '✓' : '✗'}  ${name.padEnd(16)} ${seconds.padStart(7)}`)
  if (code === 0) continue
  console.log(`\n$ npm run ${command.join(' ')}\n${output.trimEnd()}`)
  process.exit(1)
}
