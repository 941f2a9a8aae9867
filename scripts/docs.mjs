// npm run docs: serves the documentation site with live reload. npm run docs:build: builds it in docs/site/dist.
//
// The site has its own package.json, since VitePress and typedoc need other versions of Vite and TypeScript than the
// package. They are installed on first use. The API reference (docs/api) and docs/changelog.md are written before each build.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const site = join(root, 'docs/site')
const [command = 'dev', ...args] = process.argv.slice(2)

function run(program, ...args) {
  const { status, error } = spawnSync(program, args, { cwd: site, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs the packages of the site when its lockfile is newer than the installed packages. */
function install() {
  const installed = join(site, 'node_modules/.package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(site, 'package-lock.json')).mtimeMs) return
  console.log('Installing VitePress and typedoc in docs/site ...')
  run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error')
}

/**
 * Lets the compiled pages, which are in docs/, find Vue: Node looks for node_modules only in the folders above a file.
 */
function linkPackages() {
  const link = join(root, 'docs/node_modules')
  if (!existsSync(link)) symlinkSync('site/node_modules', link, 'junction')
}

/** Writes the API reference from the doc comments. An exported name without a comment, or a dead link, is an error. */
function writeReference() {
  console.log('Writing the API reference ...')
  rmSync(join(root, 'docs/api'), { recursive: true, force: true })
  run(
    process.execPath,
    'node_modules/typedoc/bin/typedoc',
    '--logLevel',
    'Warn',
    ...(command === 'dev' ? [] : ['--treatWarningsAsErrors']),
  )
  renameSync(join(root, 'docs/api/README.md'), join(root, 'docs/api/index.md'))
}

function writeChangelog() {
  writeFileSync(
    join(root, 'docs/changelog.md'),
    readFileSync(join(root, 'CHANGELOG.md'), 'utf8').replaceAll('](docs/', ']('),
  )
}

/** Builds the gallery of the UI kit into the site, with the packages of the repository: `npm ci` comes first. */
function buildGallery() {
  run(process.execPath, join(root, 'scripts/gallery.mjs'), 'build', join(site, 'public/gallery'))
}

if (!['dev', 'build', 'preview'].includes(command)) {
  console.error(`Unknown command "${command}". Use: dev, build, preview.`)
  process.exit(1)
}
install()
linkPackages()
if (command !== 'preview') {
  writeReference()
  writeChangelog()
  buildGallery()
  // The home page shows the screenshot demo.png, which VitePress takes from its public folder only.
  copyFileSync(join(root, 'docs/demo.png'), join(site, 'public/demo.png'))
}
run(process.execPath, 'node_modules/vitepress/bin/vitepress.js', command, '.', ...args)
