import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { locationContract } from 'hereabouts/testing'
import { cells } from '../contract/target.js'
import { built } from '../support/built.js'
import { blocksOf, link, root } from '../support/snippets.js'

/* Runs the contract suite in both ways that docs/testing.md shows, against the built package. */

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-testing-'))
beforeAll(() => {
  built('package')
  link(folder, { hereabouts: root, vitest: join(root, 'node_modules/vitest'), zod: join(root, 'node_modules/zod') })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

// The target in docs/testing.md has the same fields as this one, and so the same number of cases.
const cases = locationContract({ ...cells, url: '' }).length

const documented = (file: string) => blocksOf('docs/testing.md').find(({ rest }) => rest === file)!.code
/** The documented code for a server that identifies its callers. */
const identified = (file: string) =>
  documented(file).replace('anonymous: true', "identify: () => ({ memberId: 'ada' }), authorize: () => true")
/** The documented code for a target without profiles. */
const withoutProfile = (file: string) => documented(file).replace(/^ {2}profile: .*\n/m, '')

function run(file: string, code: string, ...command: string[]): { status: number | null; said: string } {
  writeFileSync(join(folder, file), code)
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], NO_COLOR: '1' },
  })
  return { status, said: stdout + stderr }
}

const vitest = [
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  '--root',
  folder,
  '--reporter=verbose',
  'contract.test.ts',
]
const nodeTest = ['--test', '--test-reporter=tap', 'contract.test.mjs']

test('the contract suite passes with Vitest as docs/testing.md shows', { timeout: 60_000 }, () => {
  const { status, said } = run('contract.test.ts', documented('contract.test.ts'), ...vitest)
  expect(status, said).toBe(0)
  expect(said).toMatch(new RegExp(`Tests +${cases} passed`))
})

test('the contract suite passes with node:test as docs/testing.md shows', { timeout: 60_000 }, () => {
  const { status, said } = run('contract.test.mjs', documented('contract.test.mjs'), ...nodeTest)
  expect(status, said).toBe(0)
  expect(said).toMatch(new RegExp(`^# pass ${cases}$`, 'm'))
})

test('the contract suite has no case about profiles for a target without profiles', { timeout: 60_000 }, () => {
  const { status, said } = run('contract.test.mjs', withoutProfile('contract.test.mjs'), ...nodeTest)
  expect(status, said).toBe(0)
  expect(said).toMatch(new RegExp(`^# pass ${cases - 1}$`, 'm'))
  expect(said).toMatch(/^# skipped 0$/m)
})

test('Vitest reports a contract case that does not apply as skipped, with the reason', { timeout: 60_000 }, () => {
  const name = 'anonymous post without a key'
  const { status, said } = run('contract.test.ts', identified('contract.test.ts'), ...vitest, '-t', name)
  expect(status, said).toBe(0)
  expect(said).toMatch(/each anonymous post without a key.*the server identifies this caller/)
})

test(
  'node:test reports a contract case that does not apply to the server as skipped, with the reason',
  { timeout: 60_000 },
  () => {
    const pattern = '--test-name-pattern=anonymous post without a key'
    const { status, said } = run('contract.test.mjs', identified('contract.test.mjs'), pattern, ...nodeTest)
    expect(status, said).toBe(0)
    expect(said).toMatch(/each anonymous post without a key.* # SKIP the server identifies this caller/)
    // Node.js 20 counts the cases that the pattern leaves out as skipped too.
    expect(said.match(/# SKIP the server/g)).toHaveLength(1)
  },
)
