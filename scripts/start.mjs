// npm start: builds stale targets, then serves the demo. Arguments go to the demo: npm start -- --bots 3
import { fileURLToPath } from 'node:url'
import { build, isStale } from './build.mjs'

for (const [name, what] of [
  ['package', 'the package'],
  ['demo', 'the demo'],
]) {
  if (!isStale(name)) continue
  const began = performance.now()
  process.stdout.write(`Building ${what} ... `)
  try {
    build(name)
  } catch (error) {
    console.log('failed')
    console.error(error.message)
    process.exit(1)
  }
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`)
}

// The demo runs in this process, so that signals, the exit code and the terminal need no forwarding.
const demo = new URL('../examples/spreadsheet/serve.mjs', import.meta.url)
process.argv[1] = fileURLToPath(demo)
await import(demo.href)
