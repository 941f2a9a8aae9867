import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compile, link, project, root, writeSnippets } from '../support/snippets.js'
import { until } from '../support/until.js'

/*
 * The published package: built, packed, and unpacked outside of this repository, next to only those packages that
 * package.json lists.
 */

type Manifest = Record<'exports', Record<string, string | { types: string; default: string }>> &
  Record<'dependencies' | 'peerDependencies', Record<string, string>>
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-packed-'))
const unpacked = join(folder, 'hereabouts')
afterAll(() => rmSync(folder, { recursive: true }))

let packed: string[]
beforeAll(() => {
  const stage = join(folder, 'stage')
  const compiling = `(await import('./scripts/build.mjs')).compilePackage(${JSON.stringify(join(stage, 'dist'))})`
  execFileSync(process.execPath, ['--input-type=module', '-e', compiling], { cwd: root })
  for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'bin', 'docs', 'src', 'test'])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name), { recursive: true })
  const said = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: stage,
    encoding: 'utf8',
  })
  const [{ filename, files }] = JSON.parse(said) as [{ filename: string; files: { path: string }[] }]
  packed = files.map(({ path }) => path)
  mkdirSync(unpacked)
  execFileSync('tar', ['-xzf', join(stage, filename), '--strip-components=1', '-C', unpacked])
}, 60_000)

const installed = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, name === 'hereabouts' ? unpacked : join(root, 'node_modules', name)]))

// Node resolves a symbolic link to its target, so the imports of the package must be found from there.
beforeAll(() => {
  link(unpacked, installed(...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), '@types/react'))
})

const strict = {
  target: 'ES2022',
  module: 'NodeNext',
  strict: true,
  skipLibCheck: false,
  jsx: 'react-jsx',
  outDir: 'out',
  rootDir: '.',
}

describe('the npm tarball', () => {
  test('the npm tarball has every file that package.json names', () => {
    const promised = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? target : Object.values(target),
    )
    const missing = [
      ...promised,
      './README.md',
      './LICENSE',
      './CHANGELOG.md',
      './docs/PROTOCOL.md',
      './bin/hereabouts.mjs',
    ]
    expect(missing.filter((path) => !packed.includes(path.slice(2)))).toEqual([])
  })

  test('the npm tarball has no file besides the build, the docs and the license', () => {
    const known =
      /^(dist\/.*(\.js|\.d\.ts)|dist\/react\/ui\/ui\.css|bin\/hereabouts\.mjs|docs\/PROTOCOL\.md|(README|CHANGELOG)\.md|LICENSE|package\.json)$/
    expect(packed.filter((path) => !known.test(path))).toEqual([])
  })
})

describe('the type declarations in the tarball', () => {
  /** Returns the declaration files that a compiler reads for an import of this file. */
  function declarations(name: string, found = new Map<string, string>()): Map<string, string> {
    const source = readFileSync(join(unpacked, name), 'utf8')
    found.set(name, source)
    for (const [, from] of source.matchAll(/(?:from |import\()["'](\.[^"']+)["']/g)) {
      const next = join(dirname(name), from!.replace(/\.js$/, '.d.ts'))
      if (!found.has(next)) declarations(next, found)
    }
    return found
  }
  const mentions = (entries: string[], unwanted: RegExp) =>
    entries.flatMap((entry) =>
      [...declarations(`dist/${entry}/index.d.ts`)].flatMap(([name, source]) =>
        [...source.matchAll(unwanted)].map(([text]) => `${name}: ${text}`),
      ),
    )

  test("the type declarations in the tarball do not use tRPC's unstable exports", () => {
    expect(
      mentions(
        ['shared', 'server', 'server/standalone', 'client', 'react', 'vue', 'svelte', 'solid', 'testing'],
        /.*unstable-core.*/g,
      ),
    ).toEqual([])
  })

  test("the type declarations in the tarball need no types of Node, Express, tRPC's server or our server in a browser", () => {
    expect(
      mentions(
        ['shared', 'client', 'react', 'vue', 'svelte', 'solid'],
        /.*["'](node:|express|@trpc\/|.*\/server\/).*|.*types="node".*/g,
      ),
    ).toEqual([])
  })
})

/** A program that opens a room over a fake Redis client, which prints the start of the script that it is sent. */
const redisBundle = `
import { redisBackend } from 'hereabouts/server/redis'
const port = {
  isCluster: false,
  async send(key, [name, text]) {
    if (name === 'EVALSHA') throw new Error('NOSCRIPT')
    if (name === 'EVAL' && text.includes('tombstones')) {
      console.log('the script was sent: ' + text.slice(0, 5))
      process.exit(0)
    }
    return name === 'EVAL' ? (setTimeout(() => hear('1'), 1), 'ok') : []
  },
  async subscribe(channel, listener) {
    if (channel.includes('probe')) hear = listener
    return async () => {}
  },
  onGap() {},
  async close() {},
}
let hear
const clock = { now: () => performance.now(), after: (ms, run) => (setTimeout(run, ms), () => {}) }
const rules = { tombstoneMs: 1, roomConnections: 1, memberConnections: 1, lockMs: 1, claimMs: 1, connectionLocks: 1, roomLocks: 1 }
await redisBackend({ port }).open('r', { clock, rules, sweepMs: 250, onCommit() {}, onReset() {} })
`

const server = `
import { cellLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'

export const server = createLocationServer({ location: cellLocation, anonymous: true })
export type AppRouter = typeof server.router
`

const browser = `
import { createLocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { colorOf } from 'hereabouts'
import type { AppRouter } from './server.js'

export const client = createLocationClient<AppRouter>({ url: '/trpc' })
export const { RoomProvider, useOthers, usePost } = createLocationHooks(client)
export function Avatars() {
  const others = useOthers()
  const post = usePost()
  return <button onClick={() => post({ sheet: 'Q3', row: 4, col: 2 })}>{others.map((other) => colorOf(other.memberId, others))}</button>
}
// @ts-expect-error: a wrong location is a compile error
export const wrong = () => usePost()({ sheet: 'Q3', row: 'four', col: 2 })
`

const bindings = `
import { createLocationClient } from 'hereabouts/client'
import { createLocationPrimitives } from 'hereabouts/solid'
import { createLocationStores } from 'hereabouts/svelte'
import { createLocationComposables } from 'hereabouts/vue'
import type { AppRouter } from './server.js'

const client = createLocationClient<AppRouter>({ url: '/trpc' })
export const rows = () => [
  createLocationComposables(client).useOthers().value[0]?.location?.row.toFixed(),
  createLocationStores(client).useOthers().current[0]?.location?.row.toFixed(),
  createLocationPrimitives(client).useOthers()()[0]?.location?.row.toFixed(),
]
// @ts-expect-error: a wrong location is a compile error
export const wrong = () => createLocationComposables(client).useMembersAt({ sheet: 'Q3', row: 'four', col: 2 })
`

const meeting = `
import { createLocationClient } from 'hereabouts/client'
import { server, type AppRouter } from './server.js'

const { url } = await server.listen(0)
const ada = createLocationClient<AppRouter>({ url: url + '/trpc' })
const grace = createLocationClient<AppRouter>({ url: url + '/trpc' })
const here = ada.join('sheet-42')
const there = grace.join('sheet-42')
const seen = new Promise((resolve) => there.on('moved', ({ current }) => resolve(current)))
await Promise.all([here.flush(), there.ready()])
here.post({ sheet: 'Q3', row: 4, col: 2 })
console.log(JSON.stringify(await seen))
await Promise.all([ada.close(), grace.close()])
await server.close()
`

describe('a project that installed the tarball', { timeout: 60_000 }, () => {
  const packages = ['hereabouts', '@trpc/client', '@trpc/server', 'zod']

  test('a project that installed the tarball compiles and runs a server and two clients', async () => {
    const place = join(folder, 'node')
    project(place, installed(...packages, '@types/node'), { compilerOptions: { ...strict, types: ['node'] } })
    writeFileSync(join(place, 'server.ts'), server)
    writeFileSync(join(place, 'meeting.ts'), meeting)
    expect(compile(place)).toBe('')
    const { status, said } = await run(join(place, 'out/meeting.js'))
    // The server warns on the console that `clientIp` is not set.
    const lines = said.trimEnd().split('\n')
    expect(lines.filter((line) => !line.startsWith('clientIp'))).toHaveLength(1)
    expect(JSON.parse(lines.at(-1)!)).toEqual({ sheet: 'Q3', row: 4, col: 2 })
    expect(status).toBe(0)
  })

  test('a project that installed the tarball bundles the Redis backend into one file, which runs without any other file', async () => {
    const place = join(folder, 'bundle')
    project(place, installed(...packages), {})
    writeFileSync(join(place, 'main.js'), redisBundle)
    await build({
      root: place,
      configFile: false,
      logLevel: 'silent',
      ssr: { noExternal: true },
      build: { ssr: 'main.js', outDir: 'bundled', rollupOptions: { output: { entryFileNames: 'main.mjs' } } },
    })
    const alone = mkdtempSync(join(tmpdir(), 'hereabouts-bundled-'))
    cpSync(join(place, 'bundled/main.mjs'), join(alone, 'main.mjs'))
    const { status, said } = await run(join(alone, 'main.mjs'))
    rmSync(alone, { recursive: true })
    expect(said).toContain('the script was sent: #!lua')
    expect(status).toBe(0)
  })

  test('a project that installed the tarball compiles a page that has React and no types of Node', () => {
    const place = join(folder, 'browser')
    const compilerOptions = {
      ...strict,
      types: [],
      lib: ['ES2022', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
      noEmit: true,
    }
    project(place, installed(...packages, 'react', '@types/react', 'vue', 'svelte', 'solid-js'), {
      compilerOptions,
      include: ['*.tsx'],
    })
    // A page imports only the type of its server. It is declared here, as in a monorepo.
    writeFileSync(
      join(place, 'server.d.ts'),
      `import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { LocationRouter } from 'hereabouts/server/standalone'
export type AppRouter = LocationRouter<RoomTypesWith<{ location: CellLocation }>>
`,
    )
    writeFileSync(join(place, 'page.tsx'), browser)
    writeFileSync(join(place, 'bindings.tsx'), bindings)
    expect(compile(place)).toBe('')
  })

  test('a project that installed the tarball compiles and runs the code of README', async () => {
    const place = join(folder, 'readme')
    const compilerOptions = { ...strict, types: ['node'], lib: ['ES2022', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'] }
    project(place, installed(...packages, 'express', '@types/node', '@types/express', 'react', '@types/react'), {
      compilerOptions,
    })
    const files = writeSnippets(place, ['README.md'])
    expect(compile(place)).toBe('')
    // The ten lines of README are these two files.
    expect(files).toEqual(expect.arrayContaining(['README.md/server.ts', 'README.md/client.ts']))
    const port = String(await freePort())
    for (const name of ['server', 'client']) {
      const file = join(place, `out/README.md/${name}.js`)
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll('3000', port))
    }
    const serving = start(join(place, 'out/README.md/server.js'), { PORT: port })
    try {
      await answers(port)
      // The client runs until it is killed. After an exception it would end before it prints `live`.
      const { said } = await run(join(place, 'out/README.md/client.js'), (said) => said.includes('live'))
      expect(said).not.toBe('')
      expect(said).not.toMatch(/\bat .*:\d+:\d+/)
    } finally {
      serving.kill('SIGTERM')
    }
  })
})

const start = (file: string, env: Record<string, string> = {}) =>
  spawn(process.execPath, [file], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })

/** Runs a program to its end, or kills it when `isEnough` accepts its output or a time limit is reached. */
async function run(file: string, isEnough = (_said: string) => false) {
  const child = start(file)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
  let isOver = false
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve))
  void closed.then(() => (isOver = true))
  await until('the program ends or has printed enough', () => isOver || isEnough(said)).catch(() => {})
  child.kill()
  const status = await closed
  return { status, said }
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as AddressInfo
  await new Promise((resolve) => taken.close(resolve))
  return port
}

const answers = (port: string) =>
  until(`a server answers on port ${port}`, () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    ),
  )
