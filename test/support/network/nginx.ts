import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../redis/redis-server.js'
import { until } from '../until.js'

/** The nginx configuration of examples/two-nodes. */
export const nginxConf = readFileSync(new URL('../../../examples/two-nodes/nginx.conf', import.meta.url), 'utf8')

/** True on a machine without nginx. In CI always false, so that without nginx the tests fail and are not skipped. */
export const skipWithoutNginx = spawnSync('nginx', ['-v']).status !== 0 && !process.env['CI']

/** Starts nginx in front of two nodes, with the example's configuration except for the ports and the given change. */
export async function nginxBefore(nodes: readonly { url: string }[], change = (text: string) => text) {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-nginx-'))
  const port = await freePort()
  const ports = [port, ...nodes.map(({ url }) => Number(new URL(url).port))]
  const text = nginxConf.replaceAll(/127\.0\.0\.1:300(\d)/g, (_, digit: string) => `127.0.0.1:${ports[Number(digit)]}`)
  writeFileSync(join(folder, 'nginx.conf'), change(text))
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
  const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/livez`).then(
      ({ status }) => status !== 502,
      // A port for TLS or HTTP/2 fails this HTTP/1.1 request, but does not refuse the connection.
      ({ cause }: { cause?: { code?: string } }) => cause?.code !== 'ECONNREFUSED',
    )
  await until('nginx answers', answers)
  return {
    port,
    url: `http://127.0.0.1:${port}/trpc`,
    reload: () => void child.kill('SIGHUP'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
