// @ts-check
// npm run demo:two-nodes: starts Redis, two servers and an nginx without sticky sessions on this machine. Ctrl-C stops
// all of them.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build, isStale } from '../../scripts/build.mjs'

const port = Number(process.env['PORT'] ?? 3000)
const nodePorts = [port + 1, port + 2]
const redisPort = port + 3

const missing = ['redis-server', 'nginx'].filter((command) => spawnSync(command, ['-v']).error)
if (missing.length > 0) {
  const names = missing.join(' ')
  console.error(`This needs ${names}. On Debian and Ubuntu: apt-get install ${names}`)
  process.exit(1)
}
for (const name of ['package', 'demo']) if (isStale(name)) build(name)

const folder = mkdtempSync(join(tmpdir(), 'hereabouts-two-nodes-'))
/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
let isEnding = false

/**
 * Starts a program, and restarts it when it exits.
 *
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {object} [env]
 */
function keep(name, command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  running.add(child)
  // The output of the servers is shown at once. Of Redis and nginx, only the last output before an exit is shown.
  let said = ''
  const isOurs = command === process.execPath
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => (isOurs ? process.stdout.write(bytes) : (said = `${said}${bytes}`.slice(-2_000))))
  child.on('exit', (code, signal) => {
    running.delete(child)
    if (isEnding) return
    if (said) console.error(said.trimEnd())
    console.log(`${name} ended (${signal ?? code}); another one starts in 3 s`)
    setTimeout(() => isEnding || keep(name, command, args, env), 3_000)
  })
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void end(0))

const nodeFile = fileURLToPath(new URL('node.mjs', import.meta.url))
const conf = readFileSync(new URL('nginx.conf', import.meta.url), 'utf8')
// The file contains the default ports, which are replaced by the chosen ones.
const own = conf.replace(/127\.0\.0\.1:300(\d)/g, (_, digit) => `127.0.0.1:${port + Number(digit)}`)
writeFileSync(join(folder, 'nginx.conf'), own)

keep('redis', 'redis-server', ['--port', `${redisPort}`, '--bind', '127.0.0.1', '--save', '', '--loglevel', 'warning'])
for (const nodePort of nodePorts)
  keep(`node ${nodePort}`, process.execPath, [nodeFile], {
    PORT: `${nodePort}`,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
  })
for (const nodePort of nodePorts) await ready(nodePort)
// nginx is started last: if it starts before its servers, it marks them as unavailable for a while.
keep('nginx', 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'])
await ready(port)
console.log(`
Two servers, one sheet: http://localhost:${port}  (open it in two windows)
Or without a browser:   npx hereabouts bots -r demo -c 5 -u http://localhost:${port}/trpc
                        npx hereabouts watch -r demo -u http://localhost:${port}/trpc
Now kill one of them:   kill -9 PID, with a pid from above; nobody leaves, and another one starts in 3 s.
Ctrl-C ends it all.
`)

/** @param {number} at */
async function ready(at) {
  for (let tries = 0; tries < 100; tries++) {
    const { ok } = await fetch(`http://127.0.0.1:${at}/readyz`).catch(() => ({ ok: false }))
    if (ok) return
    await passing(200)
  }
  console.error(`No server is ready on port ${at} after 20 s: see the output above.`)
  await end(1)
}

/** @param {number} code */
async function end(code) {
  isEnding = true
  for (const child of running) child.kill('SIGTERM')
  for (let tries = 0; running.size > 0 && tries < 50; tries++) await passing(100)
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
