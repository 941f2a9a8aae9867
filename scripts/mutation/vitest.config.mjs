import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import everything from '../../vitest.config.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fast = everything.test.projects[0].test
/** The tests to run: comma-separated files and folders, which scripts/mutation.mjs passes. */
const chosen = (process.env['MUTATION_TESTS'] ?? 'test').split(',').filter((path) => existsSync(join(root, path)))

/**
 * Runs the fast tests that are near the mutated files. There are no Vitest projects, because Stryker's runner would run
 * all of them.
 */
export default defineConfig({
  root,
  resolve: everything.resolve,
  test: {
    ...fast,
    include: chosen.map((path) => (statSync(join(root, path)).isDirectory() ? `${path}/**/*.test.{ts,tsx}` : path)),
    // The tests in test/house read the source as text, which Stryker has rewritten.
    exclude: [...fast.exclude, 'test/house/**'],
    setupFiles: [fileURLToPath(new URL('fixed-seed.mjs', import.meta.url))],
    // A mutant is switched on at run time, so the files of one run can share their modules: that halves the time.
    isolate: false,
  },
})
