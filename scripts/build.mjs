import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// The cache is in node_modules, so that a new install, which may change the build tools, also makes the build stale.
const cache = join(root, 'node_modules/.cache/hereabouts')

const targets = {
  package: {
    from: ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json'],
    to: 'dist',
    run: compilePackage,
  },
  demo: {
    from: ['examples/spreadsheet', 'dist', 'package.json'],
    to: 'examples/spreadsheet/dist',
    run: (out) =>
      node(
        'node_modules/vite/bin/vite.js',
        'build',
        'examples/spreadsheet',
        '--outDir',
        out,
        '--emptyOutDir',
        '--logLevel',
        'warn',
      ),
  },
}

/** Builds `package` or `demo`. Throws the compiler's output when it does not compile. */
export function build(name) {
  const { to, run } = targets[name]
  const made = madeFrom(name)
  const out = join(cache, name)
  mkdirSync(cache, { recursive: true })
  rmSync(out, { recursive: true, force: true })
  run(out)
  // The build is moved into place when it is complete, so a failed build keeps the previous one.
  rmSync(join(root, to), { recursive: true, force: true })
  renameSync(out, join(root, to))
  writeFileSync(stamp(name), made)
}

/** True if nothing is built yet, or if a source file was added, changed or deleted since the last build. */
export function isStale(name) {
  if (!existsSync(join(root, targets[name].to)) || !existsSync(stamp(name))) return true
  return readFileSync(stamp(name), 'utf8') !== madeFrom(name)
}

const stamp = (name) => join(cache, `${name}.stamp`)

function madeFrom(name) {
  const hash = createHash('sha256')
  for (const path of targets[name].from) {
    for (const file of filesIn(join(root, path))) {
      const { mtimeMs, size } = statSync(file)
      hash.update(`${file} ${mtimeMs} ${size}\n`)
    }
  }
  return hash.digest('hex')
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .filter((name) => !['dist', 'node_modules'].includes(name) && !/\.timestamp-/.test(name))
    .toSorted()
    .flatMap((name) => filesIn(join(path, name)))
}

/** Compiles the package to a folder. */
export function compilePackage(out) {
  node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noEmitOnError', '--outDir', out)
  for (const name of ['ui.css', 'styles.d.ts'])
    copyFileSync(join(root, 'src/react/ui', name), join(out, 'react/ui', name))
  embedLua(join(root, 'src/server/backends/redis/room.lua'), join(out, 'server/backends/redis/room-lua.js'))
}

/**
 * Replaces a module that reads a Lua script by a module that contains the script: tsc emits TypeScript only, and
 * bundlers move modules away from the file.
 */
function embedLua(script, module) {
  writeFileSync(module, `export const roomLua = ${JSON.stringify(readFileSync(script, 'utf8'))}\n`)
}

function node(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}\n${stdout}${stderr}`.trim())
}

/** Runs `work` while no other process builds. Test files that run in parallel may build at the same time. */
function alone(work) {
  const lock = join(cache, 'building')
  const patienceMs = 60_000
  mkdirSync(cache, { recursive: true })
  for (let waitedMs = 0; ; waitedMs += 50) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      // The lock is that old only if the process that held it was killed.
      if (waitedMs > patienceMs) rmSync(lock, { recursive: true, force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
  try {
    work()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

// When run as a command, builds the given targets, by default the package. With --if-stale it builds only stale targets.
if (basename(process.argv[1] ?? '') === 'build.mjs') {
  const args = process.argv.slice(2)
  const names = args.filter((arg) => !arg.startsWith('--'))
  try {
    alone(() => {
      for (const name of names.length > 0 ? names : ['package'])
        if (!args.includes('--if-stale') || isStale(name)) build(name)
    })
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
