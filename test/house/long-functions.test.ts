import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseSync } from 'vite'
import { root } from '../support/snippets.js'

const maxLines = 60

type SyntaxNode = {
  type?: string
  id?: { name?: string }
  key?: { name?: string }
  body?: { type: string; start: number; end: number }
}

/** Returns `file: function` for each function under `folder` whose body has more than `maxLines` lines. */
function longFunctionsIn(folder: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(name)) continue
    const file = `${folder}/${name.replaceAll('\\', '/')}`
    const source = readFileSync(join(root, file), 'utf8')
    const visit = (node: unknown, near: string): void => {
      if (Array.isArray(node)) return node.forEach((each) => visit(each, near))
      if (typeof node !== 'object' || node === null) return
      const { type, id, key, body } = node as SyntaxNode
      const label = id?.name ?? key?.name ?? near
      if (type?.includes('Function') && body?.type === 'BlockStatement') {
        const lines = source.slice(body.start, body.end).split('\n').length
        if (lines > maxLines) found.push(`${file}: ${label}`)
      }
      for (const value of Object.values(node)) visit(value, label)
    }
    visit(parseSync(file, source).program.body, '')
  }
  return found
}

test('functions of more than 60 lines are those that CONTRIBUTING.md lists with a reason', () => {
  const rows = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8').matchAll(/^ *\| `(\w+)` +\| `(src\/[^`]+)` +\|/gm)
  const listed = Array.from(rows, ([, label, file]) => `${file}: ${label}`)
  expect(longFunctionsIn('src').toSorted((a, b) => a.localeCompare(b))).toEqual(
    listed.toSorted((a, b) => a.localeCompare(b)),
  )
})
