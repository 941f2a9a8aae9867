// npm run grid: installs the packed package in a project outside of this repository, compiles it and runs it with every
// supported combination of versions. --corners: only the oldest and the newest versions, as CI does.
//
// Exits with 1 when a combination fails, and with 2 when the packages cannot be installed.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const consumer = join(root, 'test/consumer')
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const isCorners = process.argv.includes('--corners')
const patienceMs = 240_000

const oldest = { trpc: '11.22.1', react: '18.3.1', reactTypes: '18.3.31', reactDomTypes: '18.3.7' }
const newest = {
  trpc: isCorners ? devDependencies['@trpc/server'] : '^11.22.1',
  react: devDependencies.react,
  reactTypes: devDependencies['@types/react'],
  reactDomTypes: devDependencies['@types/react-dom'],
}
const reactOf = ({ react, reactTypes, reactDomTypes }) => ({ react, reactTypes, reactDomTypes })
const typescripts = { 5.7: '5.7.3', 5.9: '5.9.3', 6: '6.0.3', 7: devDependencies.typescript }
const resolutions = {
  NodeNext: { module: 'NodeNext' },
  Bundler: { module: 'ESNext', moduleResolution: 'Bundler' },
}
const here = process.versions.node.split('.')[0]

/** The sets of versions to install, and the compilers and Node versions to test with each. */
const installs = isCorners
  ? [
      { ...oldest, compilers: ['5.7'], compiled: { classic: ['NodeNext'], mini: ['Bundler'] }, nodes: [here] },
      { ...newest, compilers: ['7'], compiled: { mini: ['NodeNext'], classic: ['Bundler'] }, nodes: ['22', '24'] },
    ]
  : [oldest, newest].flatMap(({ trpc }) =>
      [oldest, newest].map((versions) => ({
        trpc,
        ...reactOf(versions),
        compilers: Object.keys(typescripts),
        compiled: { classic: Object.keys(resolutions), mini: Object.keys(resolutions) },
        nodes: ['20', '22', '24'],
      })),
    )

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-grid-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

function run(program, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: patienceMs })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += bytes))
    child.on('close', (status) => resolve({ status, said: said.trim() }))
  })
}

async function must(program, args, cwd) {
  const { status, said } = await run(program, args, cwd)
  if (status === 0) return said
  console.error(`${program} ${args.join(' ')}\n${said}`)
  process.exit(2)
}

let failed = 0
let tried = 0
async function cell(name, work) {
  const began = performance.now()
  const complaint = await work()
  tried++
  if (complaint) failed++
  console.log(
    `${complaint ? '✗' : '✓'}  ${name.padEnd(66)} ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s`,
  )
  if (complaint) console.log(complaint)
}

/** Runs the jobs, at most one for each processor at a time. */
async function all(jobs) {
  const queue = [...jobs]
  const worker = async () => {
    for (let job; (job = queue.shift());) await job()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}

async function install(place, { trpc, react, reactTypes, reactDomTypes, compilers }) {
  mkdirSync(place)
  const dependencies = {
    hereabouts: `file:${tarball}`,
    '@trpc/client': trpc,
    '@trpc/server': trpc,
    zod: devDependencies.zod,
    react,
    'react-dom': react,
    '@types/react': reactTypes,
    '@types/react-dom': reactDomTypes,
    '@types/node': devDependencies['@types/node'],
    ...Object.fromEntries(compilers.map((name) => [`typescript-${name}`, `npm:typescript@${typescripts[name]}`])),
  }
  writeFileSync(join(place, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }))
  await must('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'], place)
  return JSON.parse(readFileSync(join(place, 'node_modules/@trpc/server/package.json'), 'utf8')).version
}

/** @returns the compiler's errors, or '' */
async function compile(place, zod, compiler, resolution) {
  const name = `${zod}-${compiler}-${resolution}`
  const source = join(place, name)
  cpSync(consumer, source, { recursive: true })
  cpSync(join(source, `location.${zod}.ts`), join(source, 'location.ts'))
  const compilerOptions = {
    ...resolutions[resolution],
    target: 'ES2022',
    lib: ['ES2022', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
    types: ['node'],
    jsx: 'react-jsx',
    strict: true,
    skipLibCheck: false,
    outDir: 'out',
    rootDir: '.',
  }
  writeFileSync(join(source, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsc = join(place, `node_modules/typescript-${compiler}/bin/tsc`)
  const { status, said } = await run(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], source)
  return status === 0 ? '' : said || `tsc ended with ${status}`
}

/** @returns the unexpected output, or '' */
async function execute(place, zod, node, { compilers, compiled }) {
  const out = join(place, `${zod}-${compilers[0]}-${compiled[zod][0]}`, 'out')
  const [program, ...first] = node === here ? [process.execPath] : ['npx', '-y', '-p', `node@${node}`, '--', 'node']
  const version = await run(program, [...first, '-v'], out)
  if (!version.said.split('\n').at(-1).startsWith(`v${node}.`)) return `this is not Node ${node}: ${version.said}`
  const meeting = await run(program, [...first, 'meeting.js'], out)
  if (meeting.status !== 0 || !meeting.said.endsWith('{"line":4,"page":"intro"}\napplied ada'))
    return meeting.said || 'silence'
  const page = await run(program, [...first, 'page.js'], out)
  if (page.status !== 0 || !/<button>connecting/.test(page.said)) return page.said || 'silence'
  return ''
}

await must(process.execPath, ['scripts/build.mjs', '--if-stale', 'package'], root)
const packed = await must('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', folder], root)
const tarball = join(folder, JSON.parse(packed.slice(packed.indexOf('[')))[0].filename)

const places = await Promise.all(
  installs.map(async (versions, i) => {
    const place = join(folder, String(i))
    return { place, versions, trpc: await install(place, versions) }
  }),
)
await all(
  places.flatMap(({ place, trpc, versions }) =>
    versions.compilers.flatMap((compiler) =>
      Object.entries(versions.compiled).flatMap(([zod, given]) =>
        given.map((resolution) => () => {
          const name = `tRPC ${trpc} · React ${versions.react} · zod ${zod} · TypeScript ${compiler} · ${resolution}`
          return cell(name, () => compile(place, zod, compiler, resolution))
        }),
      ),
    ),
  ),
)
await all(
  places.flatMap(({ place, trpc, versions }) =>
    versions.nodes.flatMap((node) =>
      Object.keys(versions.compiled).map((zod) => () => {
        const name = `tRPC ${trpc} · React ${versions.react} · zod ${zod} · on Node ${node}`
        return cell(name, () => execute(place, zod, node, versions))
      }),
    ),
  ),
)
console.log(`${tried - failed} of ${tried} work`)
process.exit(failed > 0 ? 1 : 0)
