// npm run bytes: measures the size that the client adds to a page with three bundlers, and fails above the limits,
// which are documented. 1 KB is 1,000 bytes.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import * as esbuild from 'esbuild-wasm'
import { build, parseSync } from 'vite'
import webpack from 'webpack'

/** The limits of the first load, in bytes. The bundlers differ in how much of @trpc/client they keep. */
const firstLimits = { Vite: 16_800, esbuild: 19_400, webpack: 16_500 }
/**
 * The limits of the chunks that are loaded later, in bytes: the stream with tRPC's subscription link, which every page
 * loads while its first post is in flight, and all other chunks together, which only some pages load.
 */
const streamLimit = 5_700
const featuresLimit = 6_500
/** The limits of all chunks that are loaded later, in bytes. webpack moves more of tRPC into them. */
const laterLimits = { Vite: 12_200, esbuild: 12_200, webpack: 12_900 }
const reactLimit = 2_200
/** The limit of each of the other framework bindings, in bytes. */
const bindingLimit = 1_000
/** The limit of each component of the UI kit by itself, and of all together, in bytes. */
const componentLimit = 4_096
const kitLimit = 6_400
const kitStyleLimit = 2_048

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const client = `export { createLocationClient } from ${JSON.stringify(join(dist, 'client/index.js'))}\n`
const kitParts = ['Announcer', 'AvatarStack', 'ConnectionNotice', 'Cursors', 'EditingBadge', 'MemberFlag']
const kit = (...names) => `export { ${names.join(', ')} } from ${JSON.stringify(join(dist, 'react/ui/index.js'))}\n`
const react = `export { createLocationHooks } from ${JSON.stringify(join(dist, 'react/index.js'))}\n`
const bindings = { vue: 'createLocationComposables', svelte: 'createLocationStores', solid: 'createLocationPrimitives' }

/**
 * Returns a module that re-exports everything that the client imports from other packages, to measure those packages by
 * themselves.
 */
function packagesAlone() {
  const names = new Map()
  for (const file of jsFilesIn('client').concat(jsFilesIn('shared'))) {
    for (const { moduleRequest, entries } of parseSync(file, readFileSync(file, 'utf8')).module.staticImports) {
      if (moduleRequest.value.startsWith('.')) continue
      const known = names.get(moduleRequest.value) ?? new Set()
      for (const { importName } of entries) if (importName.name) known.add(importName.name)
      names.set(moduleRequest.value, known)
    }
  }
  // zod is left out here: the client must not import it at run time, which is checked below.
  for (const name of names.keys()) if (/^zod(\/|$)/.test(name)) names.delete(name)
  return Array.from(names, ([from, imported]) => `export { ${[...imported].join(', ')} } from '${from}'\n`).join('')
}

const jsFilesIn = (folder) =>
  readdirSync(join(dist, folder), { recursive: true })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(dist, folder, name))

/** True for the entry and its static imports. Other chunks are loaded with `import()` when they are needed. */
const isLoadedAtFirst = (chunk, output) =>
  chunk.isEntry || output.some((other) => other.imports?.includes(chunk.fileName) && isLoadedAtFirst(other, output))

// Each file is compressed separately, as a server sends it.
const gzipped = (code) => gzipSync(code, { level: 9 }).length
const sum = (parts) => parts.reduce((total, { bytes }) => total + bytes, 0)

/** Returns the chunks of the first load, the chunks that are loaded later, and the modules in all of them. */
async function withVite(source) {
  const entry = 'hereabouts-entry.js'
  const { output } = await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? join(root, entry) : null),
        load: (id) => (id === join(root, entry) ? source : null),
      },
      {
        // Vite's preload helper belongs to the app, not to our client.
        name: 'no-preload',
        enforce: 'pre',
        load: (id) => (id.endsWith('vite/preload-helper.js') ? 'export const __vitePreload = (load) => load()' : null),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: 'strict',
        external: [/^(react|vue|svelte|solid-js)($|\/)/],
      },
    },
  })
  const modules = output
    .flatMap((chunk) => Object.entries(chunk.modules ?? {}))
    .filter(([, { renderedLength }]) => renderedLength > 0)
  const parts = output.map((chunk) => ({
    name: chunk.name,
    bytes: gzipped(chunk.code),
    first: isLoadedAtFirst(chunk, output),
  }))
  return {
    first: sum(parts.filter(({ first }) => first)),
    lazy: parts.filter(({ first }) => !first),
    modules: modules.map(([id]) => id),
  }
}

async function withEsbuild(source) {
  const { metafile, outputFiles } = await esbuild.build({
    stdin: { contents: source, resolveDir: root },
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    target: 'es2022',
    outdir: join(root, 'nowhere'),
    absWorkingDir: root,
    external: ['react'],
    metafile: true,
    write: false,
  })
  const output = Object.entries(metafile.outputs).map(([path, { entryPoint, imports }]) => ({
    fileName: path,
    name: entryPoint ?? 'shared',
    isEntry: entryPoint === '<stdin>',
    imports: imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path),
    bytes: gzipped(outputFiles.find((file) => file.path === join(root, path)).contents),
  }))
  return {
    first: sum(output.filter((chunk) => isLoadedAtFirst(chunk, output))),
    lazy: output.filter((chunk) => !isLoadedAtFirst(chunk, output)),
  }
}

async function withWebpack(source) {
  // webpack reads its entry from a file, next to the node_modules that it imports from.
  const folder = mkdtempSync(join(root, 'node_modules/.bytes-'))
  try {
    writeFileSync(join(folder, 'entry.js'), source)
    const compiler = webpack({
      mode: 'production',
      context: root,
      entry: join(folder, 'entry.js'),
      target: ['web', 'es2022'],
      experiments: { outputModule: true },
      externals: { react: 'module react' },
      output: { path: join(folder, 'out'), library: { type: 'module' }, chunkFilename: '[id].js' },
      performance: { hints: false },
    })
    const stats = await new Promise((resolve, reject) =>
      compiler.run((error, stats) => (error ? reject(error) : compiler.close(() => resolve(stats)))),
    )
    if (stats.hasErrors()) throw new Error(stats.toString('errors-only'))
    const parts = stats.toJson({ all: false, chunks: true, ids: true }).chunks.map(({ files, initial, id }) => ({
      name: String(id),
      first: initial,
      bytes: gzipped(readFileSync(join(folder, 'out', files[0]))),
    }))
    return { first: sum(parts.filter(({ first }) => first)), lazy: parts.filter(({ first }) => !first) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const ours = await withVite(client)
const bundles = { Vite: ours, esbuild: await withEsbuild(client), webpack: await withWebpack(client) }
const alone = await withVite(packagesAlone())
const withReact = await withVite(client + react)
const reactAdds = withReact.first - ours.first
const bindingsAdd = []
for (const [name, create] of Object.entries(bindings)) {
  const source = `${client}export { ${create} } from ${JSON.stringify(join(dist, name, 'index.js'))}\n`
  bindingsAdd.push({ name, bytes: (await withVite(source)).first - ours.first })
}

// The measured size includes the module of colours, which an app that calls `colorOf` already has.
const { first: kitBytes } = await withVite(kit(...kitParts))
const componentBytes = []
for (const name of kitParts) componentBytes.push({ name, bytes: (await withVite(kit(name))).first })
const kitStyle = await esbuild.transform(readFileSync(join(dist, 'react/ui/ui.css')), { loader: 'css', minify: true })
const kitStyleBytes = gzipped(kitStyle.code)

const line = (what, bytes, limit) =>
  console.log(
    `${what.padEnd(36)} ${bytes.toLocaleString('en').padStart(7)}${limit ? `  of ${limit.toLocaleString('en')}` : ''}`,
  )
const problems = []
for (const [bundler, { first, lazy }] of Object.entries(bundles)) {
  line(`hereabouts/client, ${bundler}, gzip -9`, first, firstLimits[bundler])
  if (first > firstLimits[bundler])
    problems.push(`hereabouts/client is ${first - firstLimits[bundler]} bytes over its limit with ${bundler}`)
  const laterLimit = laterLimits[bundler]
  if (sum(lazy) > laterLimit)
    problems.push(`the chunks loaded later are ${sum(lazy) - laterLimit} bytes over their limit with ${bundler}`)
}
line('  @trpc/client, Vite', alone.first)
line('  ours, Vite', ours.first - alone.first)
const stream = ours.lazy.filter(({ name }) => name === 'subscription')
const features = ours.lazy.filter(({ name }) => name !== 'subscription')
line('loaded with the first post, Vite', sum(stream), streamLimit)
line('loaded on demand, Vite', sum(features), featuresLimit)
for (const { name, bytes } of features) line(`  ${name}`, bytes)
if (sum(stream) > streamLimit) problems.push(`the stream is ${sum(stream) - streamLimit} bytes over its limit`)
if (sum(features) > featuresLimit)
  problems.push(`the chunks loaded on demand are ${sum(features) - featuresLimit} bytes over their limit`)
line('hereabouts/react adds', reactAdds, reactLimit)
for (const { name, bytes } of bindingsAdd) line(`hereabouts/${name} adds`, bytes, bindingLimit)
line('hereabouts/react/ui, all of it', kitBytes, kitLimit)
for (const { name, bytes } of componentBytes) line(`  ${name} alone`, bytes, componentLimit)
line('hereabouts/react/ui.css', kitStyleBytes, kitStyleLimit)

const schemas = [...new Set([...ours.modules, ...withReact.modules])].filter((id) => /node_modules\/zod\//.test(id))
if (schemas.length > 0) problems.push(`a schema library is inside (import schemas as types only): ${schemas[0]}`)
if (reactAdds > reactLimit) problems.push(`hereabouts/react is ${reactAdds - reactLimit} bytes over its limit`)
for (const { name, bytes } of bindingsAdd)
  if (bytes > bindingLimit) problems.push(`hereabouts/${name} is ${bytes - bindingLimit} bytes over its limit`)
for (const { name, bytes } of componentBytes)
  if (bytes > componentLimit) problems.push(`${name} is ${bytes - componentLimit} bytes over its limit`)
if (kitBytes > kitLimit) problems.push(`hereabouts/react/ui is ${kitBytes - kitLimit} bytes over its limit`)
if (kitStyleBytes > kitStyleLimit)
  problems.push(`hereabouts/react/ui.css is ${kitStyleBytes - kitStyleLimit} bytes over its limit`)
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
