import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

type Counts = { killed: number; survived: number; noCoverage: number }
type Entry = { folder: string; goal: number; tests: string[] }
type Result = { file: string; line: number; status: string; original: string; replacement: string }

const root = fileURLToPath(new URL('../..', import.meta.url))
const { folders, entryOf } = (await import(`${root}scripts/mutation/folders.mjs`)) as {
  folders: Entry[]
  entryOf(file: string): Entry | undefined
}
const { countsOf, scoreOf, unnoticed, worse } = (await import(`${root}scripts/mutation/scores.mjs`)) as {
  countsOf(results: Result[]): Record<string, Counts>
  scoreOf(counts: Counts): number
  unnoticed(results: Result[]): string[]
  worse(counts: Record<string, Counts>, listed: Record<string, Counts>, goalOf: (file: string) => number): string[]
}
const scores = JSON.parse(readFileSync(join(root, 'scripts/mutation/scores.json'), 'utf8')) as Record<string, Counts>

const result = (file: string, status: string): Result => ({
  file,
  line: 7,
  status,
  original: 'a < b',
  replacement: 'a <= b',
})

test('a mutation score is the share of covered mutants that are noticed, and a timeout counts as noticed', () => {
  const results = ['Killed', 'Timeout', 'Survived', 'NoCoverage', 'Ignored'].map((status) => result('a.ts', status))
  expect(countsOf(results)).toEqual({ 'a.ts': { killed: 2, survived: 1, noCoverage: 1 } })
  expect(scoreOf({ killed: 899, survived: 101, noCoverage: 50 })).toBe(89)
  expect(scoreOf({ killed: 0, survived: 0, noCoverage: 3 })).toBe(100)
})

test('a file whose mutation score fell is reported, and so is a new file below the goal of its folder', () => {
  const counts = {
    'same.ts': { killed: 1, survived: 1, noCoverage: 0 },
    'lower.ts': { killed: 1, survived: 1, noCoverage: 0 },
    'new.ts': { killed: 8, survived: 2, noCoverage: 0 },
  }
  const listed = {
    'same.ts': { killed: 5, survived: 5, noCoverage: 0 },
    'lower.ts': { killed: 6, survived: 4, noCoverage: 0 },
  }
  expect(worse(counts, listed, () => 80)).toEqual([
    'lower.ts: 50 % of the covered mutants are noticed; it has to be 60 %',
  ])
  expect(worse(counts, listed, () => 90)).toHaveLength(2)
})

test('a mutant that no test notices is printed with its place and its change', () => {
  const results = ['Killed', 'Survived', 'NoCoverage'].map((status) => result('a.ts', status))
  expect(unnoticed(results)).toEqual(['a.ts:7  a < b  ->  a <= b', 'a.ts:7  a < b  ->  a <= b  (no test runs this)'])
})

test('every source file belongs to a folder of the mutation run, and its tests exist', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  )
  expect(sources.length).toBeGreaterThan(100)
  for (const name of sources) expect(entryOf(`src/${name}`), name).toBeDefined()
  for (const { folder, tests } of folders) {
    expect(existsSync(join(root, folder)), folder).toBe(true)
    for (const path of tests) expect(existsSync(join(root, path)), path).toBe(true)
  }
})

test('every file with a listed mutation score exists', () => {
  for (const file of Object.keys(scores)) expect(existsSync(join(root, file)), file).toBe(true)
})
