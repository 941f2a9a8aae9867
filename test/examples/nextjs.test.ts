import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { built } from '../support/built.js'
import { compile, project, root } from '../support/snippets.js'

/*
 * Checks the parts of the Next app that do not need Next (a third of a gigabyte). `npm run soak:nextjs` builds the app
 * and opens it in Chromium.
 */
describe('the Next app', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-nextjs-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  beforeAll(() => built('package'), 60_000)

  test('the Next app compiles', { timeout: 30_000 }, () => {
    for (const part of ['app', 'server.mjs'])
      cpSync(join(root, 'examples/nextjs', part), join(folder, part), { recursive: true })
    const next = 'export default function next(options: { dev: boolean; hostname: string; port: number }): any'
    writeFileSync(join(folder, 'next.d.ts'), `declare module 'next' {\n  ${next}\n}\n`)
    project(
      folder,
      {},
      {
        extends: join(root, 'tsconfig.json'),
        compilerOptions: { module: 'ESNext', moduleResolution: 'Bundler', checkJs: true },
        include: ['.'],
        exclude: ['node_modules'],
      },
    )
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    expect(compile(folder)).toBe('')
  })

  test("a Next server component can import every entry except the React hooks, whose files have 'use client'", () => {
    const entry = (name: string) => join(root, 'dist', name, 'index.js')
    const entries = ['shared', 'client', 'server', 'testing'].map((name) => `import ${JSON.stringify(entry(name))}`)
    // Resolves imports as Next does for a server component, where React has no hooks.
    const args = ['--conditions=react-server', '--input-type=module', '--eval', entries.join('\n')]
    execFileSync(process.execPath, args, { cwd: root })
    for (const name of ['index', 'hooks'])
      expect(readFileSync(join(root, `dist/react/${name}.js`), 'utf8')).toMatch(/^(\/\*\*.*?\*\/\s*)?'use client';/s)
    expect(readFileSync(entry('client'), 'utf8')).not.toContain('use client')
  })
})
