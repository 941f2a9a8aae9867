import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf, compile, project, root, writeSnippets } from '../support/snippets.js'

const docs = [
  'README.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : [])),
]

describe('what the docs say in TypeScript', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-docs-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('compiles', { timeout: 30_000 }, () => {
    writeSnippets(folder, docs)
    project(
      folder,
      {},
      {
        extends: join(root, 'tsconfig.json'),
        // A snippet may declare what the next line of the reader's own code uses.
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
        include: ['.'],
        exclude: ['node_modules'],
      },
    )
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    expect(compile(folder)).toBe('')
  })
})

/** ```sh run: run as written, but that a server of our own stands where the docs say localhost:3000. */
const commands = docs.flatMap(blocksOf).filter(({ language, rest }) => language === 'sh' && rest === 'run')

describe.runIf(commands.length > 0)('what the docs say in the shell', () => {
  const server = createLocationServer({ location: cellLocation, anonymous: true })
  let host: string
  beforeAll(async () => {
    host = new URL((await server.listen(0)).url).host
  })
  afterAll(() => server.close())

  for (const { doc, line, code: written } of commands) {
    test(`runs (${doc}:${line})`, { timeout: 30_000 }, async () => {
      const script = written.replaceAll(/(localhost|127\.0\.0\.1):3000/g, host)
      const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
      let said = ''
      child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
      child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
      const code = await new Promise((resolve) => child.on('close', resolve))
      expect(code, said).toBe(0)
    })
  }
})
