// npm run check: everything that must hold before a change goes in. CI runs this same line.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The first that fails stops the rest, so what is quick to know comes first. */
const steps = [
  ['format', 'prettier --check --log-level warn .'],
  ['lint', 'oxlint --type-aware .'],
  ['types', 'tsc -p tsconfig.json && tsc -p tsconfig.build.json --noEmit'],
  ['unused', 'knip'],
  ['build', 'node scripts/build.mjs package demo'],
  ['publint', 'publint --strict'],
  ['types as packed', 'attw --pack . --profile esm-only'],
  ['client bytes', 'node scripts/bytes.mjs'],
  ['tests', 'vitest run'],
]

function run(command) {
  return new Promise((resolve) => {
    const child = spawn(command, {
      cwd: root,
      shell: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
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
  console.error(`There is no step "${name}". The steps: ${steps.map(([step]) => step).join(', ')}`)
  process.exit(1)
}

for (const [name, command] of steps) {
  if (skipped.includes(name)) {
    console.log(`-  ${name.padEnd(16)} skipped, as asked`)
    continue
  }
  const began = performance.now()
  const { code, output } = await run(command)
  const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`
  console.log(`${code === 0 ? '✓' : '✗'}  ${name.padEnd(16)} ${seconds.padStart(7)}`)
  if (code === 0) continue
  console.log(`\n$ ${command}\n${output.trimEnd()}`)
  process.exit(1)
}
