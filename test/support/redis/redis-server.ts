import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A redis-server of one's own on this machine; it is gone when the block ends that it was made in. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** The output of redis-cli. */
  cli(...args: string[]): string
  /** Sends a signal to the process: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void
  /** Kills it as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port: empty, as nothing is saved. */
  start(): Promise<void>
}

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

/** Tests that need Redis are skipped without it, but not where CI promises it. */
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

/** The first of as many ports in a row; below those that systems give to whoever asks for any. */
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
