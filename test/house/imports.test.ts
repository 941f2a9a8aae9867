import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor, type ESTree } from 'vite'
import { describe, expect, test } from 'vitest'

/*
 * The folder listing is the architecture, and this holds the imports against it. A line that goes red here is a question:
 * does the code belong elsewhere, or has the picture changed? If the picture has, say so in docs/ARCHITECTURE.md too.
 */

/** Which folder may import which. Their own files, always. */
const folders: Record<string, string[]> = {
  shared: [],
  server: ['shared'],
  client: ['shared'],
  react: ['client', 'shared'],
  testing: ['shared', 'server', 'client'],
  cli: ['shared', 'server', 'client', 'testing'],
}

/** These two use the package as anybody would: of other folders they import what package.json exports (and types). */
const byPublicNames = ['testing', 'cli']
const publicFile = /^\w+\/index\.ts$|^server\/standalone\/index\.ts$|^server\/prometheus\.ts$/

/** Other packages, and who may know them. What is not listed here is not imported. */
const packages: Record<string, RegExp> = {
  zod: /^(shared|server)\//,
  'zod/v4/core': /^(shared|server)\//,
  '@trpc/client': /^client\/(client|connection\/(subscription|trpc-operation))\.ts$/,
  '@trpc/server': /^server\/(procedures\/|http\/|standalone\/server\.ts$)/,
  '@trpc/server/http': /^server\/http\/(middleware|direct-call|trpc-fallback)\.ts$/,
  '@trpc/server/adapters/node-http': /^server\/http\/trpc-fallback\.ts$/,
  // tRPC's JSON-RPC codes.
  '@trpc/server/rpc': /^server\/standalone\/server\.ts$/,
  '@trpc/server/unstable-core-do-not-import': /^$/,
  express: /^server\/standalone\/web-app\.ts$/,
  negotiator: /^server\/http\/gzip\/content-encoding\.ts$/,
  react: /^react\//,
  'prom-client': /^server\/prometheus\.ts$/,
  // Redis clients are known by what we use of them: no file imports one.
  redis: /^$/,
  ioredis: /^$/,
  commander: /^cli\//,
}

/** Node itself: not where a browser goes. */
const node = /^(server|testing|cli)\//

/** Rules only: no I/O, no clock, no timer, no chance. The same input gives the same output. */
const pure = [
  /^shared\/(?!(clock|index)\.ts$)/,
  /^server\/rules\/(room|timeline|lease-clock)\.ts$/,
  /^server\/rooms\/(frames|sse-encoding|timer-wheel)\.ts$/,
  /^server\/http\/gzip\/(crc32-combine|gzip-format)\.ts$/,
  /^server\/options\/(timing|number-options)\.ts$/,
  /^server\/backends\/redis\/(script-codec|commit-order)\.ts$/,
  /^client\/outbox\/outbox\.ts$/,
  /^client\/store\/(room-events|roster|location-index)\.ts$/,
  /^client\/connection\/(connection-state|failure|sse-parser)\.ts$/,
  /^client\/browser\/activity\.ts$/,
]

const asksTheClock = [
  'Date.now',
  'new Date()',
  'performance.now',
  'performance.timeOrigin',
  'setTimeout',
  'setInterval',
]
const impure = [
  ...asksTheClock,
  'setImmediate',
  'queueMicrotask',
  'Math.random',
  'crypto',
  'process',
  'fetch',
  'console',
]

const root = fileURLToPath(new URL('../../src', import.meta.url))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => ({ path, ...read(path) }))
const folderOf = (path: string) => path.split('/')[0]!
const isPure = (path: string) => pure.some((pattern) => pattern.test(path))

type Import = { from: string; /** Inside src, if it is. */ file: string | null; typeOnly: boolean }

function read(path: string) {
  const { program, errors } = parseSync(path, readFileSync(join(root, path), 'utf8'))
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]!.message}`)
  const imports: Import[] = []
  const add = (from: string, typeOnly: boolean) => {
    const file = from.startsWith('.') ? relative(root, join(root, dirname(path), from)) : null
    imports.push({ from, file: file && onDisk(file), typeOnly })
  }
  let exportsAll = false
  const uses: string[] = []
  const names: ESTree.Node[] = []
  // What a property is called is no use of a global: `options.fetch` asks nobody.
  const keys = new Set<ESTree.Node>()
  const key = (property: { computed: boolean; key: ESTree.Node; shorthand?: boolean }) => {
    if (!property.computed && !property.shorthand) keys.add(property.key)
  }
  new Visitor({
    ImportDeclaration: ({ source, importKind }) => add(source.value, importKind === 'type'),
    ExportNamedDeclaration: ({ source, exportKind }) => source && add(source.value, exportKind === 'type'),
    ExportAllDeclaration({ source, exportKind }) {
      exportsAll = true
      add(source.value, exportKind === 'type')
    },
    ImportExpression: ({ source }) => add('value' in source ? String(source.value) : '(computed)', false),
    TSImportType: ({ source }) => add(source.value, true),
    Property: key,
    PropertyDefinition: key,
    MethodDefinition: key,
    TSPropertySignature: key,
    TSMethodSignature: key,
    MemberExpression(expression) {
      if (!expression.computed) keys.add(expression.property)
      uses.push(written(expression))
    },
    NewExpression: ({ callee, arguments: given }) =>
      uses.push(`new ${written(callee)}(${given.length > 0 ? '...' : ''})`),
    Identifier: (identifier) => names.push(identifier),
  }).visit(program)
  for (const name of names) if (name.type === 'Identifier' && !keys.has(name)) uses.push(name.name)
  return { imports, uses, exportsAll }
}

/** `a.b` as text; what is computed does not matter here, and a global is itself however it is reached. */
function written(expression: ESTree.Expression): string {
  if (expression.type === 'Identifier') return expression.name
  if (expression.type !== 'MemberExpression' || expression.computed) return ''
  const object = written(expression.object)
  return ['globalThis', 'window', 'self'].includes(object)
    ? expression.property.name
    : `${object}.${expression.property.name}`
}

/** `./x.js` is x.ts or x.tsx. */
function onDisk(path: string) {
  const typescript = path.replace(/\.js$/, '')
  return readdirSync(join(root, dirname(path))).includes(`${typescript.split('/').at(-1)}.tsx`)
    ? `${typescript}.tsx`
    : `${typescript}.ts`
}

/** Every import that `wrong` says is, as `file -> what`. */
const offending = (wrong: (path: string, found: Import) => boolean) =>
  files.flatMap(({ path, imports }) =>
    imports.filter((found) => wrong(path, found)).map(({ from }) => `${path} -> ${from}`),
  )

/** The files and packages that a file imports at run time, directly or through others. */
function reachableFrom(entry: string): Set<string> {
  const reached = new Set([entry])
  for (const path of reached)
    for (const { from, file, typeOnly } of files.find((known) => known.path === path)?.imports ?? [])
      if (!typeOnly) reached.add(file ?? from)
  return reached
}

describe('imports', () => {
  test('every folder of src is in the picture', () => {
    expect([...new Set(files.map(({ path }) => folderOf(path)))].toSorted()).toEqual(Object.keys(folders).toSorted())
  })

  test('folders import along the arrows', () => {
    const wrong = offending((path, { file }) => {
      if (!file || folderOf(file) === folderOf(path)) return false
      return !folders[folderOf(path)]?.includes(folderOf(file))
    })
    expect(wrong).toEqual([])
  })

  test('testing and cli stand on public names', () => {
    const wrong = offending((path, { file, typeOnly }) => {
      if (!file || typeOnly || folderOf(file) === folderOf(path) || !byPublicNames.includes(folderOf(path)))
        return false
      return !publicFile.test(file)
    })
    expect(wrong).toEqual([])
  })

  test('other packages are known only where they must be', () => {
    const wrong = offending((path, { from, file }) => {
      if (file) return false
      if (from.startsWith('node:')) return !node.test(path)
      return !packages[from]?.test(path)
    })
    expect(wrong).toEqual([])
  })

  test('hereabouts/server imports no Express', () => {
    const reached = reachableFrom('server/index.ts')
    expect(reached.has('server/hub/hub.ts')).toBe(true)
    expect(reached.has('express')).toBe(false)
  })

  test('the client knows schemas as types only', () => {
    const schemas = ['zod', 'shared/locations.ts', 'shared/protocol.ts', 'shared/index.ts']
    const wrong = offending(
      (path, { from, file, typeOnly }) => /^(client|react)\//.test(path) && schemas.includes(file ?? from) && !typeOnly,
    )
    expect(wrong).toEqual([])
  })

  test('nothing imports an index file from within its own folder', () => {
    expect(offending((path, { file }) => file === `${folderOf(path)}/index.ts`)).toEqual([])
  })

  test('pure files import only pure files', () => {
    const wrong = offending((path, { file, from, typeOnly }) => {
      if (!isPure(path) || typeOnly) return false
      // zlib's functions that answer at once compute, and do no more.
      return file ? !isPure(file) : from !== 'zod' && from !== 'node:zlib'
    })
    expect(wrong).toEqual([])
  })
})

describe('effects', () => {
  const using = (names: string[], where: (path: string) => boolean) =>
    files
      .filter(({ path }) => where(path))
      .flatMap(({ path, uses }) => names.filter((name) => uses.includes(name)).map((name) => `${path}: ${name}`))

  test('pure files have none', () => {
    expect(using(impure, isPure)).toEqual([])
  })

  test('only shared/clock.ts asks the clock', () => {
    expect(using(asksTheClock, (path) => path !== 'shared/clock.ts')).toEqual([])
  })

  test('the pure files named here are there', () => {
    for (const pattern of pure) expect(files.some(({ path }) => pattern.test(path))).toBe(true)
  })
})

test('index files list names one by one', () => {
  expect(files.filter(({ exportsAll }) => exportsAll).map(({ path }) => path)).toEqual([])
})
