// npm run fuzz: sends hostile requests, inputs and names, a million of each.
//
//   npm run fuzz                                        all files of test/fuzz, one after the other
//   npm run fuzz -- requests --minutes 8                one file for 8 minutes; prints how to continue
//   npm run fuzz -- requests --seed 7 --from 300000     continues at run 300,000
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    from: { type: 'string' },
    minutes: { type: 'string' },
  },
  allowPositionals: true,
})
for (const [name, value] of Object.entries(values)) {
  if (value === undefined) continue
  if (!/^\d+(\.\d+)?$/.test(value)) {
    console.error(`--${name}: give a number, not "${value}".`)
    process.exit(2)
  }
  process.env[`FUZZ_${name.toUpperCase()}`] = value
}
const files = positionals.length > 0 ? positionals.map((name) => `test/fuzz/${name}`) : ['test/fuzz']
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const child = spawn(process.execPath, [vitest, 'run', '--no-file-parallelism', ...files], { stdio: 'inherit' })
child.on('exit', (code) => process.exit(code ?? 1))
