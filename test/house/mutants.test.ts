import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

type Mutant = { name: string; file: string; find: string; tests: string[] }
const { default: listed } = (await import(`${root}test/mutants.mjs`)) as { default: Mutant[] }

test.for(listed.map((mutant) => [mutant.name, mutant] as const))(
  'the code that the mutant "%s" replaces occurs exactly once in its file',
  ([, { file, find, tests }]) => {
    expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2)
    for (const path of tests) expect(existsSync(join(root, path))).toBe(true)
  },
)
