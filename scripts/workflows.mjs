// npm run check:workflows: validates .github/workflows against the schema of GitHub Actions, one file after the other.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, '.github/workflows')
const validator = join(root, 'node_modules/@action-validator/cli/cli.mjs')

for (const name of readdirSync(folder).filter((file) => /\.ya?ml$/.test(file))) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [validator, join(folder, name)], { encoding: 'utf8' })
  if (status === 0) continue
  console.error(`${name} is not a valid workflow:\n${stdout}${stderr}`)
  process.exitCode = 1
}
