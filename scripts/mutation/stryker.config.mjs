import { fileURLToPath } from 'node:url'

const env = (name) => process.env[name] ?? ''

export default {
  plugins: ['@stryker-mutator/vitest-runner', fileURLToPath(new URL('reporter.mjs', import.meta.url))],
  testRunner: 'vitest',
  vitest: {
    configFile: fileURLToPath(new URL('vitest.config.mjs', import.meta.url)).slice(process.cwd().length + 1),
    // The tests are chosen by folder. `related` would select nearly all, because tests import the package by its names.
    related: false,
    // Threads start faster than processes.
    pool: 'threads',
  },
  mutate: env('MUTATION_FILES').split(','),
  coverageAnalysis: 'perTest',
  // Static mutants, whose code runs only while a module loads, would need all tests in a new process for each mutant.
  ignoreStatic: true,
  incremental: true,
  incrementalFile: env('MUTATION_MEMORY'),
  concurrency: Number(env('MUTATION_CONCURRENCY')),
  reporters: ['lines'],
  tempDirName: 'scripts/mutation/.sandbox',
  ignorePatterns: ['scripts/mutation/.*', 'examples/*/node_modules', 'docs/site'],
  // To rewrite a tsconfig, Stryker needs a TypeScript parser in JavaScript, which TypeScript 7 lacks. Ours needs no rewrite.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  timeoutMS: 10_000,
  warnings: { slow: false },
  allowEmpty: true,
  // A log in color is unreadable in a file.
  allowConsoleColors: process.stdout.isTTY === true,
}
