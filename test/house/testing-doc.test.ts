import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { locationContract } from 'hereabouts/testing'
import { built } from '../support/built.js'
import { blocksOf, link, root } from '../support/snippets.js'

/* The two ways to run the contract that docs/testing.md shows, against the built package. */

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-testing-'))
beforeAll(() => {
  built('package')
  link(folder, { hereabouts: root, vitest: join(root, 'node_modules/vitest') })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const cases = locationContract({} as never).length

function run(file: string, ...command: string[]): { status: number | null; said: string } {
  const { code } = blocksOf('docs/testing.md').find(({ rest }) => rest === file)!
  writeFileSync(join(folder, file), code)
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], NO_COLOR: '1' },
  })
  return { status, said: stdout + stderr }
}

test('the contract runs with Vitest as documented', { timeout: 60_000 }, () => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const { status, said } = run('contract.test.ts', vitest, 'run', '--root', folder)
  expect(status, said).toBe(0)
  expect(said).toMatch(new RegExp(`Tests +${cases} passed`))
})

test('the contract runs with node:test as documented', { timeout: 60_000 }, () => {
  const { status, said } = run('contract.test.mjs', '--test', '--test-reporter=tap', 'contract.test.mjs')
  expect(status, said).toBe(0)
  expect(said).toMatch(new RegExp(`^# pass ${cases}$`, 'm'))
})
