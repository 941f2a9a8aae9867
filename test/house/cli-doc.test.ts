import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exitCode } from '../../src/cli/failure.js'
import { programOf } from '../../src/cli/program.js'
import { root } from '../support/snippets.js'

/* docs/cli.md agrees with the help of the commands. */

const page = readFileSync(join(root, 'docs/cli.md'), 'utf8')
const { commands } = programOf(() => async () => {})
const sections = page.split(/^## /m).slice(1)
const named = sections.filter((section) => !section.startsWith('Output and exit codes'))

test('docs/cli.md has a section for each command, in the order of the help', () => {
  expect(named.map((section) => section.split('\n')[0])).toEqual(commands.map((command) => command.name()))
})

test('docs/cli.md names only commands that exist, and only options that the command has', () => {
  const lines = Array.from(
    page.matchAll(/npx hereabouts (\w+)([^\n`|#]*)/g),
    ([, name, rest]) => [name!, rest!] as const,
  )
  expect(lines.length).toBeGreaterThan(8)
  for (const [name, rest] of lines) {
    const command = commands.find((each) => each.name() === name)
    expect(command, name).toBeDefined()
    const options = new Set(command!.options.map(({ long }) => long))
    for (const [option] of rest.matchAll(/--[a-z-]+/g))
      expect([...options, '--help'], `${name} ${option}`).toContain(option)
  }
})

test('docs/cli.md lists all exit codes', () => {
  const listed = Array.from(page.matchAll(/^\| (\d+) +\|/gm), ([, code]) => Number(code))
  expect(listed).toEqual(Object.values(exitCode).toSorted((a, b) => a - b))
})
