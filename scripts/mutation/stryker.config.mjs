import { fileURLToPath } from 'node:url'

const env = (name) => process.env[name] ?? ''

export default {
  plugins: ['@stryker-mutator/vitest-runner', fileURLToPath(new URL('reporter.mjs', import.meta.url))],
  testRunner: 'vitest',
  vitest: {
    configFile: fileURLToPath(new URL('vitest.config.mjs', import.meta.url)).slice(process.cwd().length + 1),
    // The tests to run are chosen by folder. Vitest's related tests would be nearly all tests, which import the package
    // by its names.
    related: false,
    // Threads start faster than processes.
    pool: 'threads',
  },
  mutate: env('MUTATION_FILES').split(','),
  coverageAnalysis: 'perTest',
  // Code that runs only while a module loads is not mutated: each mutant would need all tests in a fresh process.
  ignoreStatic: true,
  incremental: true,
  incrementalFile: env('MUTATION_MEMORY'),
  concurrency: Number(env('MUTATION_CONCURRENCY')),
  reporters: ['lines'],
  tempDirName: 'scripts/mutation/.sandbox',
  ignorePatterns: ['scripts/mutation/.*', 'examples/*/node_modules', 'docs/site'],
  // TypeScript 7 has no parser in JavaScript, which Stryker needs to rewrite a tsconfig. The tsconfig of this project
  // needs no rewriting.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  timeoutMS: 10_000,
  warnings: { slow: false },
  allowEmpty: true,
  // Colours are off when the log goes to a file: there they make it unreadable.
  allowConsoleColors: process.stdout.isTTY === true,
}
