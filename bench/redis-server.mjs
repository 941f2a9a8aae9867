// @ts-check
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'

/** Starts a separate redis-server on this machine, whose CPU time can be read. */
export async function startRedis(port = Number(process.env['PORT'] ?? 29_379)) {
  const dir = mkdtempSync(join(tmpdir(), 'hereabouts-bench-'))
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', dir], {
    stdio: 'ignore',
  })
  const url = `redis://127.0.0.1:${port}`
  const client = createClient({ url, socket: { reconnectStrategy: 50 } })
  client.on('error', () => {})
  await client.connect()
  return {
    url,
    client,
    async cpuSeconds() {
      const info = /** @type {string} */ (await client.sendCommand(['INFO', 'cpu']))
      const of = (/** @type {string} */ name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
      return of('used_cpu_user') + of('used_cpu_sys')
    },
    end() {
      client.destroy()
      server.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
