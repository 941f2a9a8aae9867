import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds the given targets if they are out of date. The CLI needs the package; a page of the demo needs both. */
export function built(...targets: ('package' | 'demo')[]): void {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale', ...targets], { cwd: root, stdio: 'pipe' })
}
