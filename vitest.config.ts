import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(`./src/${path}/index.ts`, import.meta.url))

// Minutes long, at the speed of life: for the commands that say SOAK=1.
const soaks = process.env['SOAK'] ? ['test/**/*.soak.ts'] : []

// What chance finds in a rule is a finding, and is never tried again.
const rules = ['test/{shared,simulation,types}/**/*.test.{ts,tsx}', 'test/**/*.laws.test.ts']
// The rest runs over real sockets, in real browsers, on machines that may have other work: there, once more.
const retry = process.env['CI'] ? 1 : 0

/** Tests import the package by its public names; these names stand for the source, so that no build is needed. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^hereabouts\/server\/redis$/, replacement: source('server/backends/redis') },
      { find: /^hereabouts\/server\/standalone$/, replacement: source('server/standalone') },
      { find: /^hereabouts$/, replacement: source('shared') },
      {
        find: /^hereabouts\/server\/prometheus$/,
        replacement: fileURLToPath(new URL('./src/server/prometheus.ts', import.meta.url)),
      },
      {
        find: /^hereabouts\/(server|client|react|testing)$/,
        replacement: fileURLToPath(new URL('./src', import.meta.url)) + '/$1/index.ts',
      },
    ],
  },
  test: {
    projects: [
      { extends: true, test: { name: 'rules', include: rules } },
      {
        extends: true,
        test: { name: 'all', include: ['test/**/*.test.{ts,tsx}', ...soaks], exclude: rules, retry },
      },
      // What must hold at the other end of the range of tRPC too.
      {
        extends: true,
        resolve: { alias: [{ find: /^@trpc\/server(?=$|\/)/, replacement: 'trpc-server-11-22' }] },
        test: { name: 'tRPC 11.22', include: ['test/e2e/trpc/same-*.test.ts'], retry },
      },
    ],
  },
})
