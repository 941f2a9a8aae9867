import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import everything from '../../vitest.config.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fast = everything.test.projects[0].test
/** Comma-separated files and folders, from scripts/mutation.mjs. */
const chosen = (process.env['MUTATION_TESTS'] ?? 'test').split(',').filter((path) => existsSync(join(root, path)))

/** Runs the fast tests near the mutated files. It has no projects, because Stryker's runner would run all of them. */
export default defineConfig({
  root,
  resolve: everything.resolve,
  test: {
    ...fast,
    include: chosen.map((path) => (statSync(join(root, path)).isDirectory() ? `${path}/**/*.test.{ts,tsx}` : path)),
    // These tests read the source as text, which Stryker has rewritten.
    exclude: [...fast.exclude, 'test/house/**'],
    setupFiles: [fileURLToPath(new URL('fixed-seed.mjs', import.meta.url))],
    // Stryker switches mutants on at run time, so test files can share loaded modules, which halves the time.
    isolate: false,
  },
})
