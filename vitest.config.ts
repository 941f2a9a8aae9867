import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'
import { frameworks } from './test/support/frameworks.js'
import { SkippedReporter } from './test/support/skipped-reporter.js'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}/index.ts`, import.meta.url))

/**
 * Soak tests wait in real time. These run a short version in `npm run test:all`, and the full one with SOAK=1. The others
 * take minutes and run only with SOAK=1.
 */
const shortSoaks = [
  'test/cli/drain.soak.ts',
  'test/e2e/faults/network.soak.ts',
  'test/examples/two-nodes.soak.ts',
  'test/redis/{cluster,failover,faults,load}.soak.ts',
  'test/server/standalone/{floods,socket-limit}.soak.ts',
  'test/server/websocket/idle-sockets.soak.ts',
]
const soaks = process.env['SOAK'] ? ['test/**/*.soak.ts'] : shortSoaks

/**
 * Test files that are not part of `npm test`, because they need a browser, Redis, nginx, a package build or an install, or
 * because they take more than a few seconds. `npm run test:all` runs them too.
 */
const slow = [
  'test/browser/**/*.test.ts',
  'test/redis/**/*.test.ts',
  'test/contract/{adapters,backends,demo,redis,teeth,websocket,without-fast-paths}.test.ts',
  'test/examples/{merge-into-app,minimal,nestjs,nextjs,node-script,svelte-vue-solid}.test.ts',
  'test/house/{contract-doc,docs,mutants-run,packed,protocol-doc,testing-doc,wire-doc}.test.ts',
  'test/cli/{cli,retry-after}.test.ts',
  'test/e2e/{closed-loop,compress}.test.ts',
  'test/e2e/faults/**/*.test.ts',
  'test/e2e/trpc/adapters.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/{client/room,react}/leaks.test.{ts,tsx}',
  'test/client/{runtimes,leave-on-exit,connection/wire-limits}.test.ts',
  'test/server/{access/tenants,rooms/many-streams,http/guard/request-guard,http/unread-answers}.test.ts',
]

/** The seeds of the simulation: few in `npm test`, more in `npm run test:all`; `npm run soak:simulation` plays 5,000. */
const simulation = 'test/simulation/part-*.test.ts'
const fewSeeds = process.env['SEEDS'] ?? '48'
const manySeeds = process.env['SEEDS'] ?? '400'

/**
 * Tests import the package by its public names. The aliases map these names to the source, so that no build is needed.
 * Nothing is retried: a test that fails now and then is a bug.
 */
export default defineConfig({
  plugins: [frameworks()],
  resolve: {
    alias: [
      { find: /^hereabouts\/server\/redis$/, replacement: source('server/backends/redis') },
      { find: /^hereabouts\/server\/standalone$/, replacement: source('server/standalone') },
      { find: /^hereabouts\/react\/ui$/, replacement: source('react/ui') },
      { find: /^hereabouts\/server\/websocket$/, replacement: source('server/websocket') },
      { find: /^hereabouts\/client\/websocket$/, replacement: source('client/websocket') },
      { find: /^hereabouts$/, replacement: source('shared') },
      {
        find: /^hereabouts\/server\/prometheus$/,
        replacement: fileURLToPath(new URL('./src/server/prometheus.ts', import.meta.url)),
      },
      {
        find: /^hereabouts\/(server|client|react|vue|svelte|solid|testing)$/,
        replacement: fileURLToPath(new URL('./src', import.meta.url)) + '/$1/index.ts',
      },
    ],
  },
  test: {
    // Vitest's default leaves one core unused, which is half of a machine with two.
    maxWorkers: '100%',
    // Of Svelte and Solid, Node loads the builds for servers (test/support/frameworks.ts).
    server: { deps: { inline: [/\/node_modules\/(svelte|esm-env|solid-js)\//] } },
    // A loaded machine makes a test slow, not wrong.
    testTimeout: 20_000,
    reporters: ['default', new SkippedReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: [...configDefaults.exclude, ...slow],
          env: { SEEDS: fewSeeds },
          // The files of one worker share its modules: loading tRPC, zod and React anew for each file takes longer than the tests.
          isolate: false,
          // Many of these tests wait for a server: twice as many workers as cores keep the cores busy.
          maxWorkers: 2 * availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: [...slow, simulation, ...soaks],
          env: { SEEDS: manySeeds },
          sequence: { groupOrder: 1 },
        },
      },
      // The wire must be the same with the oldest tRPC that the package supports.
      {
        extends: true,
        resolve: { alias: [{ find: /^@trpc\/server(?=$|\/)/, replacement: 'trpc-server-11-22' }] },
        test: { name: 'tRPC 11.22', sequence: { groupOrder: 1 }, include: ['test/e2e/trpc/same-*.test.ts'] },
      },
    ],
  },
})
