import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const list = 'test/house/mutants-example/list.mjs'

function mutants(...names: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/mutants.mjs', '--list', list, ...names], {
    cwd: root,
    encoding: 'utf8',
  })
  return { status, said: stdout + stderr }
}

type Mutant = { name: string; file: string; find: string; tests: string[] }
const { default: listed } = (await import(`${root}test/mutants.mjs`)) as { default: Mutant[] }

test.for(listed.map((mutant) => [mutant.name, mutant] as const))('%s: fits the source', ([, { file, find, tests }]) => {
  expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2)
  for (const path of tests) expect(existsSync(join(root, path))).toBe(true)
})

describe('npm run mutants', { timeout: 60_000 }, () => {
  test('names the test that a mutant turned red', () => {
    const { status, said } = mutants('noticed')
    expect(said).toContain('✓  noticed  an equal seq does not speak')
    expect(status).toBe(0)
  })

  test('fails when one survives', () => {
    const { status, said } = mutants('survivor')
    expect(said).toContain('SURVIVED: nothing holds "seq is compared as a number"')
    expect(status).toBe(1)
  })

  test('fails when a mutation does not fit the source any more', () => {
    const { status, said } = mutants()
    expect(said).toContain('"outdated": test/house/mutants-example/rule.ts has this 0 times, not once')
    expect(status).toBe(1)
  })
})
