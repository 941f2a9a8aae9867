import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const list = 'test/house/mutants-example/list.mjs'

function mutants(...names: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/mutants.mjs', '--list', list, ...names], {
    cwd: root,
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

describe('npm run mutants', { timeout: 60_000 }, () => {
  test('npm run mutants prints the name of a test that fails for a mutant', () => {
    const { status, output } = mutants('noticed')
    expect(output).toContain('✓  noticed  an equal seq does not speak')
    expect(status).toBe(0)
  })

  test('npm run mutants exits with 1 when no test fails for a mutant', () => {
    const { status, output } = mutants('survivor')
    expect(output).toContain('SURVIVED: nothing holds "seq is compared as a number"')
    expect(status).toBe(1)
  })

  test('npm run mutants exits with 1 when the code that a mutant replaces is not in its file', () => {
    const { status, output } = mutants()
    expect(output).toContain('"outdated": test/house/mutants-example/rule.ts has this 0 times, not once')
    expect(status).toBe(1)
  })
})
