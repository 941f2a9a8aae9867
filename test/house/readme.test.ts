import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blocksOf, root } from '../support/snippets.js'

const codeOf = (doc: string) => blocksOf(doc).map(({ language, rest, code }) => ({ language, rest, code }))

test('the Chinese README has the same code blocks as the English one, in the same order', () => {
  expect(codeOf('README.md').length).toBeGreaterThan(3)
  expect(codeOf('README.zh-CN.md')).toEqual(codeOf('README.md'))
})

test('README.md has at most 120 lines', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(120)
})
