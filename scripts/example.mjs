// npm run example NAME: builds the package, installs the packages of the example if it has a lockfile, and starts it.
// Arguments after -- go to the example: npm run example nestjs -- measure runs its `npm run measure`.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installMs = 180_000

/** Prepares an example to run and returns its folder. Throws npm's output when the install fails. */
export function prepare(name) {
  const folder = join(root, 'examples', name)
  if (!exampleNames().includes(name)) throw new Error(`Which example? ${exampleNames().join(', ')}`)
  command(process.execPath, ['scripts/build.mjs', '--if-stale', 'package'], root)
  if (hasOwnInstall(folder)) install(name, folder)
  return folder
}

const exampleNames = () =>
  readdirSync(join(root, 'examples')).filter(
    (name) => existsSync(join(root, 'examples', name, 'main.mjs')) || hasOwnInstall(join(root, 'examples', name)),
  )

const hasOwnInstall = (folder) => existsSync(join(folder, 'package-lock.json'))

function install(name, folder) {
  const stamp = join(folder, 'node_modules/.installed')
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    const began = performance.now()
    process.stdout.write(`Installing the packages of examples/${name} ... `)
    try {
      command('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder)
    } catch (error) {
      console.log('failed')
      throw error
    }
    writeFileSync(stamp, lock)
    console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
  // Replaces the copy of this package that npm installed, which is an older build.
  const installed = join(folder, 'node_modules/hereabouts')
  rmSync(join(installed, 'dist'), { recursive: true, force: true })
  for (const part of ['package.json', 'dist', 'bin'])
    cpSync(join(root, part), join(installed, part), { recursive: true })
}

function command(program, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', timeout: installMs })
  if (status !== 0)
    throw new Error(`${[basename(program), ...args].join(' ')}\n${stdout}${stderr}${error?.message ?? ''}`)
}

// Runs the example when this file is started as a command.
if (basename(process.argv[1] ?? '') === 'example.mjs') {
  const [name = '', ...args] = process.argv.slice(2)
  try {
    const folder = prepare(name)
    const [script = 'start', ...given] = args
    const [program, ...all] = hasOwnInstall(folder)
      ? ['npm', 'run', '--silent', script, '--', ...given]
      : [process.execPath, 'main.mjs', ...args]
    // Ignored here: the example receives these signals too, and its exit code becomes the exit code of this process.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
    process.exitCode = spawnSync(program, all, { cwd: folder, stdio: 'inherit' }).status ?? 1
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
