import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cellLocation } from 'hereabouts'
import { createLocationServer, type LocationServer } from 'hereabouts/server/standalone'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shell } from '../support/shell.js'
import { blocksOf, compile, project, root, writeSnippets } from '../support/snippets.js'
import type { CellTypes } from '../support/cell-types.js'

const docs = [
  'README.md',
  ...['docs', 'docs/start'].flatMap((folder) =>
    readdirSync(join(root, folder)).flatMap((name) =>
      name.endsWith('.md') && name !== 'changelog.md' ? `${folder}/${name}` : [],
    ),
  ),
]

describe('TypeScript in the docs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-docs-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('TypeScript in the docs compiles in every code block', { timeout: 30_000 }, () => {
    writeSnippets(folder, docs)
    project(
      folder,
      {},
      {
        extends: join(root, 'tsconfig.json'),
        // A code block may declare a variable that it does not use itself.
        compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
        include: ['.'],
        exclude: ['node_modules'],
      },
    )
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    expect(compile(folder)).toBe('')
  })
})

/**
 * Code blocks that begin with ```sh run. They run as written, except that a test server replaces localhost:3000. A
 * command that does not end, such as curl on a stream, is killed after two heartbeats.
 */
const commands = docs.flatMap(blocksOf).filter(({ language, rest }) => language === 'sh' && rest === 'run')

describe.skipIf(commands.length === 0)('shell commands in the docs', () => {
  let server: LocationServer<CellTypes>
  let host: string
  beforeAll(async () => {
    server = createLocationServer({ location: cellLocation, anonymous: true, timing: { scale: 1 / 10 } })
    host = new URL((await server.listen(0)).url).host
  })
  afterAll(() => server.close())

  for (const { doc, line, code } of commands) {
    test(`the shell command in ${doc}:${line} runs without an error`, { timeout: 30_000 }, async () => {
      const { status, said } = await shell(code.replaceAll(/(localhost|127\.0\.0\.1):3000/g, host), isStreaming, root)
      expect(said).not.toBe('')
      expect(said).not.toContain('"error"')
      if (status !== 'ended by us') expect(status, said).toBe(0)
    })
  }
})

/** True once a stream has sent two heartbeats, and so everything else that it has to send. */
const isStreaming = (said: () => string) => said().split('"type":"beat"').length > 2
