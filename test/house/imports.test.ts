import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor, type ESTree } from 'vite'
import { describe, expect, test } from 'vitest'

/*
 * The folder listing is the architecture. These tests check every import in src against it. When a test fails, either the
 * code belongs in another folder or the architecture has changed. In the second case change docs/ARCHITECTURE.md too.
 */

/** The folders that each folder of src may import. A folder may always import its own files. */
const folders: Record<string, string[]> = {
  shared: [],
  server: ['shared'],
  client: ['shared'],
  bindings: ['client', 'shared'],
  react: ['bindings', 'client', 'shared'],
  vue: ['bindings', 'client', 'shared'],
  svelte: ['bindings', 'client', 'shared'],
  solid: ['bindings', 'client', 'shared'],
  testing: ['shared', 'server', 'client'],
  cli: ['shared', 'server', 'client', 'testing'],
}

/**
 * The folders inside src/server and src/client that each folder may import, from the lowest layer to the highest. A folder
 * may import only folders that stand above it in this list, so the arrows have one direction.
 */
const layers: Record<string, Record<string, string[]>> = {
  server: {
    options: [],
    rules: ['options'],
    backends: ['rules', 'options'],
    access: ['rules', 'options'],
    validation: ['access', 'rules'],
    rooms: ['rules', 'options'],
    hub: ['rooms', 'validation', 'access', 'backends', 'rules', 'options'],
    procedures: ['hub', 'rooms', 'validation', 'access', 'rules', 'options'],
    http: ['procedures', 'rooms', 'validation', 'access', 'options'],
    websocket: ['http', 'procedures', 'rooms', 'access', 'options'],
    standalone: ['websocket', 'http', 'procedures', 'hub', 'access', 'options'],
  },
  client: {
    browser: [],
    connection: [],
    outbox: ['connection'],
    store: ['outbox', 'connection'],
    websocket: ['connection'],
    broadcasts: ['store', 'connection'],
    locks: ['store', 'connection'],
    room: ['store', 'outbox', 'connection', 'browser', 'broadcasts', 'locks'],
  },
  react: {
    ui: [],
  },
}

/** Files directly in src/server and src/client that every folder may import. All others are entries. */
const importedByAll = ['client/lazy-import.ts', 'client/first-load.ts']

/** Folders that use the package as an app does: they import others by the entries of package.json, or their types. */
const byPublicNames = ['testing', 'cli']
const publicFile = /^\w+\/index\.ts$|^server\/standalone\/index\.ts$|^server\/prometheus\.ts$/

/** The files that may import each package. A package that is not listed may not be imported. */
const packages: Record<string, RegExp> = {
  zod: /^(shared|server)\/|^cli\/commands\/serve\.ts$/,
  'zod/v4/core': /^(shared|server)\//,
  '@trpc/client/links/httpLink': /^client\/client\.ts$/,
  '@trpc/client': /^client\/(client|connection\/(subscription|trpc-operation))\.ts$/,
  '@trpc/server':
    /^server\/(procedures\/|http\/|websocket\/|standalone\/(server|server-options|server-router|request-listener|failure-logger)\.ts$)/,
  '@trpc/server/http':
    /^server\/(http\/(middleware|direct-call|trpc-fallback)|websocket\/(handler|socket-context|socket-environment))\.ts$/,
  '@trpc/server/adapters/node-http': /^server\/http\/trpc-fallback\.ts$/,
  '@trpc/server/rpc': /^server\/websocket\/socket-messages\.ts$/,
  '@trpc/server/adapters/ws': /^server\/websocket\/trpc-facade\.ts$/,
  ws: /^server\/websocket\//,
  '@trpc/server/unstable-core-do-not-import': /^$/,
  express: /^server\/standalone\/web-app\.ts$/,
  negotiator: /^server\/http\/gzip\/content-encoding\.ts$/,
  react: /^react\//,
  vue: /^vue\//,
  svelte: /^svelte\//,
  'svelte/reactivity': /^svelte\//,
  'svelte/store': /^svelte\//,
  'solid-js': /^solid\//,
  'prom-client': /^server\/prometheus\.ts$/,
  // The Redis clients are passed in by the app and described by structural types. No file imports one.
  redis: /^$/,
  ioredis: /^$/,
  commander: /^cli\//,
  // `serve --config` loads the file that its user names.
  '(computed)': /^cli\/server-config\.ts$/,
}

/** The folders that may import Node's modules. The others run in browsers. */
const node = /^(server|testing|cli)\//

/** Pure files: no I/O, clock, timer or randomness. The same input gives the same output. */
const pure = [
  /^shared\/(?!((background-)?clock|index)\.ts$)/,
  /^server\/rules\/(room|present-connection|tombstones|locks|lock-claims|timeline|lease-clock)\.ts$/,
  /^server\/rooms\/(frames|sse-encoding|timer-wheel)\.ts$/,
  /^server\/http\/gzip\/(crc32-combine|gzip-format)\.ts$/,
  /^server\/options\/(timing|number-options)\.ts$/,
  /^server\/backends\/redis\/(script-codec|lock-codec|commit-order)\.ts$/,
  /^client\/outbox\/outbox\.ts$/,
  /^client\/store\/(room-events|roster|location-index|member|same-json)\.ts$/,
  /^client\/connection\/(connection-state|failure|sse-parser|wire-limits)\.ts$/,
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

type Import = {
  from: string
  /** The path in src, or null for a package. */
  file: string | null
  typeOnly: boolean
}

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
  // The name of a property is not a use of a global: `options.fetch` does not call `fetch`.
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

/** Returns `a.b` as text, without `globalThis`, `window` or `self`. Returns '' for computed properties. */
function written(expression: ESTree.Expression): string {
  if (expression.type === 'Identifier') return expression.name
  if (expression.type !== 'MemberExpression' || expression.computed) return ''
  const object = written(expression.object)
  return ['globalThis', 'window', 'self'].includes(object)
    ? expression.property.name
    : `${object}.${expression.property.name}`
}

/** Returns the source file that an import of `x.js` loads: x.ts or x.tsx. */
function onDisk(path: string) {
  const typescript = path.replace(/\.js$/, '')
  return readdirSync(join(root, dirname(path))).includes(`${typescript.split('/').at(-1)}.tsx`)
    ? `${typescript}.tsx`
    : `${typescript}.ts`
}

/** Returns every import for which `wrong` returns true, as `file -> import`. */
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

/** True if one folder of `layers` imports another that is not listed for it. */
function isAgainstLayers(path: string, file: string): boolean {
  const allowed = layers[folderOf(path)]
  const [, folder, ...inFolder] = path.split('/')
  // Entries may import everything.
  if (!allowed || folderOf(file) !== folderOf(path) || inFolder.length === 0) return false
  const [, imported, ...inImported] = file.split('/')
  if (inImported.length === 0) return !importedByAll.includes(file)
  return imported !== folder && !allowed[folder!]?.includes(imported!)
}

/** Returns the files of each import cycle (a strongly connected component), by Tarjan's algorithm. */
function cyclesOf(graph: Map<string, string[]>): string[] {
  const cycles: string[] = []
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const visit = (path: string) => {
    order.set(path, order.size)
    lowest.set(path, order.get(path)!)
    stack.push(path)
    for (const next of graph.get(path) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) lowest.set(path, Math.min(lowest.get(path)!, lowest.get(next)!))
    }
    if (lowest.get(path) !== order.get(path)) return
    const component = stack.splice(stack.indexOf(path))
    if (component.length > 1 || graph.get(path)?.includes(path)) cycles.push(component.toSorted().join(', '))
  }
  for (const path of graph.keys()) if (!order.has(path)) visit(path)
  return cycles
}

describe('imports', () => {
  test('every folder of src is listed', () => {
    expect([...new Set(files.map(({ path }) => folderOf(path)))].toSorted()).toEqual(Object.keys(folders).toSorted())
  })

  test('the folders of src import only the folders that are listed for them', () => {
    const wrong = offending((path, { file }) => {
      if (!file || folderOf(file) === folderOf(path)) return false
      return !folders[folderOf(path)]?.includes(folderOf(file))
    })
    expect(wrong).toEqual([])
  })

  test.each(Object.keys(layers))('the folders inside src/%s are all listed', (top) => {
    const inside = files
      .map(({ path }) => path.split('/'))
      .filter(([first, ...rest]) => first === top && rest.length > 1)
    expect([...new Set(inside.map(([, folder]) => folder!))].toSorted()).toEqual(Object.keys(layers[top]!).toSorted())
  })

  test('the folders inside src/server and src/client import in one direction', () => {
    for (const allowed of Object.values(layers)) {
      const names = Object.keys(allowed)
      names.forEach((name, index) => expect(names.slice(0, index)).toEqual(expect.arrayContaining(allowed[name]!)))
    }
    const wrong = files.flatMap(({ path, imports }) =>
      imports.filter(({ file }) => file && isAgainstLayers(path, file)).map(({ file }) => `${path} -> ${file}`),
    )
    expect(wrong).toEqual([])
  })

  test('there is no import cycle between files, type imports included', () => {
    const graph = new Map(files.map(({ path, imports }) => [path, imports.flatMap(({ file }) => file ?? [])]))
    expect(cyclesOf(graph)).toEqual([])
  })

  test('testing and cli import other folders by public entries only', () => {
    const wrong = offending((path, { file, typeOnly }) => {
      if (!file || typeOnly || folderOf(file) === folderOf(path) || !byPublicNames.includes(folderOf(path)))
        return false
      return !publicFile.test(file)
    })
    expect(wrong).toEqual([])
  })

  test('each package is imported only by the files that are listed for it', () => {
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

  test('the client imports schemas as types only', () => {
    const schemas = ['zod', 'shared/locations.ts', 'shared/wire-schemas.ts', 'shared/index.ts']
    const wrong = offending(
      (path, { from, file, typeOnly }) =>
        /^(client|bindings|react|vue|svelte|solid)\//.test(path) && schemas.includes(file ?? from) && !typeOnly,
    )
    expect(wrong).toEqual([])
  })

  test('no file imports the index file of its own folder', () => {
    expect(offending((path, { file }) => file === `${folderOf(path)}/index.ts`)).toEqual([])
  })

  test('pure files import only pure files', () => {
    const wrong = offending((path, { file, from, typeOnly }) => {
      if (!isPure(path) || typeOnly) return false
      // node:zlib is allowed in pure files: its synchronous functions only compute.
      return file ? !isPure(file) : from !== 'zod' && from !== 'node:zlib'
    })
    expect(wrong).toEqual([])
  })
})

describe('side effects', () => {
  const using = (names: string[], where: (path: string) => boolean) =>
    files
      .filter(({ path }) => where(path))
      .flatMap(({ path, uses }) => names.filter((name) => uses.includes(name)).map((name) => `${path}: ${name}`))

  test('pure files have no side effects', () => {
    expect(using(impure, isPure)).toEqual([])
  })

  test('only the two system clocks in src/shared read the clock or set timers', () => {
    expect(using(asksTheClock, (path) => !/^shared\/(background-)?clock\.ts$/.test(path))).toEqual([])
  })

  test('every pattern for pure files matches a file', () => {
    for (const pattern of pure) expect(files.some(({ path }) => pattern.test(path))).toBe(true)
  })
})

test('index files export names one by one', () => {
  expect(files.filter(({ exportsAll }) => exportsAll).map(({ path }) => path)).toEqual([])
})
