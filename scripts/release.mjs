// npm run release -- <patch|minor|major|x.y.z> [--dry-run]
//
// Makes a release: checks, moves the unreleased section of CHANGELOG.md under the new version, sets the version in package.json,
// commits and tags. Pushing the tag publishes: .github/workflows/release.yml runs `npm publish` with provenance. With
// --dry-run all of it happens in a temporary clone, which is packed, installed and removed again; nothing is published or changed.
//
// The workflow uses two more forms: `--verify v1.2.3` fails unless package.json and CHANGELOG.md say the same version, and
// `--notes v1.2.3` prints the section of a version.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

class Refusal extends Error {}

/** Runs a program and returns its output. Throws with the output when it fails. */
function run(cwd, program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Refusal(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`.trim())
  return stdout.trim()
}

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const changelogOf = (folder) => readFileSync(join(folder, 'CHANGELOG.md'), 'utf8')

/** Returns the version after `current`. A first release, for which no tag exists yet, keeps the current version. */
export function nextVersion(current, step) {
  if (/^\d+\.\d+\.\d+$/.test(step)) return step
  const [major, minor, patch] = current.split('.').map(Number)
  const next = { major: [major + 1, 0, 0], minor: [major, minor + 1, 0], patch: [major, minor, patch + 1] }[step]
  if (next) return next.join('.')
  throw new Refusal(`"${step}" is neither patch, minor, major nor a version such as 1.2.3.`)
}

/** Returns the text of a version's section of the changelog, without its heading; null when there is none. */
export function sectionOf(changelog, version) {
  const sections = changelog.split(/^(?=## )/m)
  const section = sections.find((text) => text.startsWith(`## ${version} `) || text.startsWith(`## ${version}\n`))
  return section ? section.slice(section.indexOf('\n') + 1).trim() : null
}

/**
 * Returns the changelog with the unreleased section under the given version and date, whatever version its heading
 * announced.
 */
export function datedChangelog(changelog, version, date) {
  const heading = /^## (?:(\d+\.\d+\.\d+) )?\(?unreleased\)?$/im
  if (!heading.test(changelog))
    throw new Refusal('CHANGELOG.md has no unreleased section: add one that says what changed.')
  return changelog.replace(heading, `## ${version} (${date})`)
}

function verify(tag) {
  const { version } = manifestOf(root)
  if (tag !== `v${version}`) throw new Refusal(`The tag is ${tag}, but package.json says ${version}.`)
  if (!sectionOf(changelogOf(root), version)) throw new Refusal(`CHANGELOG.md has no section for ${version}.`)
  if (/unreleased/i.test(changelogOf(root))) throw new Refusal('CHANGELOG.md still has an unreleased section.')
}

/** Sets the version in the files of `folder`, commits and tags. */
function commitRelease(folder, version, date) {
  writeFileSync(join(folder, 'CHANGELOG.md'), datedChangelog(changelogOf(folder), version, date))
  run(folder, 'npm', 'version', version, '--no-git-tag-version', '--allow-same-version')
  run(folder, 'git', 'add', 'CHANGELOG.md', 'package.json', 'package-lock.json')
  run(folder, 'git', 'commit', '-m', `chore(release): ${version}`)
  run(folder, 'git', 'tag', '-a', `v${version}`, '-m', `v${version}`)
}

/** Does everything but publishing in a temporary clone, and prints what would be published. */
function rehearse(version, date) {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-release-'))
  try {
    const clone = join(folder, 'clone')
    console.log('Cloning, to leave this folder as it is ...')
    run(root, 'git', 'clone', '--quiet', root, clone)
    for (const [key, value] of [
      ['user.name', 'release'],
      ['user.email', 'release@localhost'],
    ])
      run(clone, 'git', 'config', key, value)
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'), 'junction')
    commitRelease(clone, version, date)
    console.log('Packing ...')
    const [packed] = JSON.parse(run(clone, 'npm', 'pack', '--json', '--loglevel=error', '--pack-destination', folder))
    console.log(
      `\n${packed.name} ${packed.version}: ${packed.files.length} files, ${(packed.size / 1000).toFixed(0)} kB packed\n`,
    )
    for (const { path, size } of packed.files) console.log(`${String(size).padStart(9)}  ${path}`)
    console.log(`\n${sectionOf(changelogOf(clone), version)}\n`)
    install(folder, join(folder, packed.filename))
    console.log(`Would be committed and tagged as v${version}; pushing the tag would publish it.`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Installs the tarball in an empty project, runs `hereabouts --version` there, and imports hereabouts/server. */
function install(folder, tarball) {
  console.log('Installing the tarball in an empty project ...')
  const { peerDependencies } = manifestOf(root)
  const peers = ['@trpc/client', '@trpc/server', 'zod'].map((name) => `${name}@${peerDependencies[name]}`)
  const project = join(folder, 'project')
  run(folder, 'mkdir', 'project')
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n')
  run(project, 'npm', 'install', '--no-audit', '--no-fund', '--loglevel=error', tarball, ...peers)
  console.log(`  hereabouts --version: ${run(project, 'npx', 'hereabouts', '--version')}`)
  const script = "import('hereabouts/server').then((server) => console.log(Object.keys(server).join(', ')))"
  console.log(`  hereabouts/server: ${run(project, process.execPath, '-e', script)}`)
}

function main(args) {
  const option = (name) => args[args.indexOf(name) + 1]
  if (args.includes('--verify')) return verify(option('--verify'))
  if (args.includes('--notes')) return console.log(sectionOf(changelogOf(root), option('--notes').replace(/^v/, '')))
  const dryRun = args.includes('--dry-run')
  const { version: current } = manifestOf(root)
  const isTagged = run(root, 'git', 'tag', '--list', `v${current}`) !== ''
  const step = args.find((arg) => !arg.startsWith('--')) ?? (isTagged ? undefined : current)
  if (!step) throw new Refusal('Say what to release: patch, minor, major or a version.')
  const version = nextVersion(current, step)
  const date = new Date().toISOString().slice(0, 10)
  if (dryRun) return rehearse(version, date)
  if (run(root, 'git', 'status', '--porcelain') !== '')
    throw new Refusal('There are uncommitted changes: commit or stash them.')
  if (run(root, 'git', 'tag', '--list', `v${version}`) !== '') throw new Refusal(`v${version} exists already.`)
  console.log('Running npm run check, which takes a few minutes ...')
  run(root, 'npm', 'run', 'check')
  commitRelease(root, version, date)
  console.log(`Committed and tagged v${version}. Publish it with: git push --follow-tags`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
