import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A redis-server process of a test. Disposal ends the process. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** Runs redis-cli and returns its output. */
  cli(...args: string[]): string
  /** Sends a signal to the process: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void
  /** Kills the process with SIGKILL, like a crash. */
  kill(): Promise<void>
  /** Starts the server again on the same port. It is empty, because nothing is saved to disk. */
  start(): Promise<void>
}

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** True on a machine without Redis. In CI always false, so that without Redis the tests fail and are not skipped. */
export const skipWithoutRedis = !hasRedis && !process.env['CI']

export async function redisServer(...options: string[]): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'hereabouts-redis-'))
  const port = await freePort()
  let running: { child: ChildProcess; ended: Promise<void> } | undefined
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli(...args) {
      const { status, stdout, stderr } = spawnSync('redis-cli', ['-p', String(port), ...args], { encoding: 'utf8' })
      if (status !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${stdout}${stderr}`)
      return stdout.trimEnd()
    },
    signal: (signal) => void running?.child.kill(signal),
    async kill() {
      running?.child.kill('SIGKILL')
      await running?.ended
      running = undefined
    },
    async start() {
      const common = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir]
      const child = spawn('redis-server', [...common, '--enable-debug-command', 'yes', ...options], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
      running = { child, ended }
      await new Promise<void>((resolve, reject) => {
        let said = ''
        child.stdout.on('data', (bytes: Buffer) => {
          said += bytes.toString()
          if (said.includes('Ready to accept connections')) resolve()
        })
        child.on('close', () => reject(new Error(`redis-server ended: ${said}`)))
      })
    },
    async [Symbol.asyncDispose]() {
      await server.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

/** Returns the first of `count` consecutive free ports, from a range below the ephemeral ports of operating systems. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000)
    const inARow = Array.from({ length: count }, (_, i) => freePort(first + i))
    if ((await Promise.allSettled(inARow)).every(({ status }) => status === 'fulfilled')) return first
  }
}

export async function freePort(wanted = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(wanted, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
