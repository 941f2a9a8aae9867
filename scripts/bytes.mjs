// npm run bytes: the size that the client adds to a page. The limits are documented.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, parseSync } from 'vite'

const firstLimit = 17_000
const totalLimit = 20_480
const reactLimit = 2_048

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const client = `export { createLocationClient } from ${JSON.stringify(join(dist, 'client/index.js'))}\n`
const react = `export { createLocationHooks } from ${JSON.stringify(join(dist, 'react/index.js'))}\n`

/** Returns a module with everything that the client imports from other packages, to measure those alone. */
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
  // The client must not import zod at run time. That is checked below.
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

async function bundle(source) {
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
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict', external: [/^react($|\/)/] },
    },
  })
  const modules = output
    .flatMap((chunk) => Object.entries(chunk.modules ?? {}))
    .filter(([, { renderedLength }]) => renderedLength > 0)
  const first = output.filter((chunk) => isLoadedAtFirst(chunk, output))
  // Each file is compressed separately, as a server sends it.
  const sum = (chunks) => chunks.reduce((total, { code }) => total + gzipSync(code, { level: 9 }).length, 0)
  return { first: sum(first), total: sum(output), modules: modules.map(([id]) => id) }
}

const ours = await bundle(client)
const alone = await bundle(packagesAlone())
const withReact = await bundle(client + react)
const reactAdds = withReact.first - ours.first

const line = (what, bytes, limit) =>
  console.log(
    `${what.padEnd(28)} ${bytes.toLocaleString('en').padStart(7)}${limit ? `  of ${limit.toLocaleString('en')}` : ''}`,
  )
line('hereabouts/client, gzip -9', ours.first, firstLimit)
line('  @trpc/client', alone.first)
line('  ours', ours.first - alone.first)
line('with tabs and polling', ours.total, totalLimit)
line('hereabouts/react adds', reactAdds, reactLimit)

const problems = []
const schemas = [...new Set([...ours.modules, ...withReact.modules])].filter((id) => /node_modules\/zod\//.test(id))
if (schemas.length > 0) problems.push(`a schema library is inside (import schemas as types only): ${schemas[0]}`)
if (ours.first > firstLimit) problems.push(`hereabouts/client is ${ours.first - firstLimit} bytes over its limit`)
if (ours.total > totalLimit)
  problems.push(`with tabs and polling it is ${ours.total - totalLimit} bytes over its limit`)
if (reactAdds > reactLimit) problems.push(`hereabouts/react is ${reactAdds - reactLimit} bytes over its limit`)
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
