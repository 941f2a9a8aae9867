import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/snippets.js'

/*
 * Tests wait for a condition, or advance a manual clock. Only files that end with .soak.ts, and the exceptions below,
 * wait for a fixed time.
 */

/** The files that use a timer without being soak tests, each with its reason. */
const exceptions: Record<string, string> = {
  'test/support/until.ts': 'polls a condition',
  'test/support/redis/crowd.ts': 'sends posts at a given rate',
  'test/support/clients/eager-locker.ts': 'asks for a lock at a given rate',
  'test/support/clients/healthy-client.mjs': 'sends posts at a given rate',
  'test/support/redis/redis-proxy.ts': 'delays what passes through',
  'test/support/clients/leaving-client.mjs': 'keeps a process alive until a signal ends it',
  'test/house/packed.test.ts': 'is in the source of a fake Redis client',
  'test/redis/health-table.test.ts': 'shows that a fault of the table is not noticed, however long one waits',
  'test/browser/life.ts': 'is the body of life.soak.ts',
  'test/e2e/faults/convergence.test.ts': 'sends posts at a given rate',
}

/** Matches timers of node:timers/promises, and setTimeout. `setImmediate` is one turn of the event loop, not a wait. */
const timer =
  /\bsetTimeout as \w+ \} from 'node:timers\/promises'|\bsetTimeout\(|\bsetTimeout\b.*from 'node:timers|Atomics\.wait\(/

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name.replaceAll('\\', '/')}`)
  .filter((name) => /\.(tsx?|mjs)$/.test(name) && !name.includes('node_modules') && !name.endsWith('.soak.ts'))
const text = (file: string) => readFileSync(join(root, file), 'utf8')
/** Returns whether a test file uses a timer. `socket.setTimeout` does not count: it limits the inactivity of a peer. */
const sleeps = (file: string) => timer.test(text(file).replaceAll(/\b\w+\.setTimeout\(/g, ''))

describe('a fixed wait in a test', () => {
  test('only soak tests and the listed exceptions wait for a fixed time', () => {
    expect(files.length).toBeGreaterThan(100)
    expect(files.filter((file) => sleeps(file) && !exceptions[file])).toEqual([])
  })

  test('every file that is listed as an exception still has a timer', () => {
    expect(Object.keys(exceptions).filter((file) => !files.includes(file) || !timer.test(text(file)))).toEqual([])
  })
})
