import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/snippets.js'

const page = readFileSync(join(root, 'docs/security.md'), 'utf8')
const promised = page.slice(page.indexOf('## What is promised'), page.indexOf('## What is not'))
const promises = promised.split('\n').filter((line) => line.startsWith('- '))

describe('every promise of docs/security.md', () => {
  test('every promise of docs/security.md names the test that proves it', () => {
    expect(promises.length).toBeGreaterThan(20)
    for (const promise of promises) expect(promise).toMatch(/ \(test\/\S+\.(?:test|soak)\.tsx?: ".+"\)$/)
  })

  test.each(
    [...page.matchAll(/\((test\/\S+\.(?:test|soak)\.tsx?): "(.+?)"\)/g)].map(([, file, name]) => [file!, name!]),
  )('every promise of docs/security.md has its test in %s: %s', (file, name) => {
    expect(existsSync(join(root, file))).toBe(true)
    expect(readFileSync(join(root, file), 'utf8')).toContain(name)
  })
})

test('every metric and log line of docs/operating.md exists in the code', () => {
  const operating = readFileSync(join(root, 'docs/operating.md'), 'utf8')
  const server = join(root, 'src/server')
  const source = readdirSync(server, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(server, path), 'utf8'))
    .join('\n')
  for (const [, name] of operating.matchAll(/`hereabouts_(\w+?)(?:\{.*?\})?`/g)) expect(source).toContain(name)
  for (const line of [
    'a caller is over a limit',
    'the backend is out of reach',
    'a part of the backend is out of reach',
    'the backend is back',
    'drained',
    'a procedure failed',
  ]) {
    expect(operating).toContain(line)
    expect(source).toContain(`'${line}'`)
  }
})
