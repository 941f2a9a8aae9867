import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import type { Hub } from '../../../src/server/hub/hub.js'
import { raw } from '../../support/network/raw.js'
import { cell, stockClient } from '../../support/clients/stock-client.js'
import { freePort } from '../../support/redis/redis-server.js'
import { root } from '../../support/snippets.js'
import { until } from '../../support/until.js'

const hasCaddy = spawnSync('caddy', ['version']).status === 0

/** Starts Caddy in front of a server, with the site configuration of docs/deploying.md. */
async function caddy(serverPort: number, site: string) {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-caddy-'))
  const port = await freePort()
  const own = site
    .replace('app.example', `http://127.0.0.1:${port}`)
    .replace('127.0.0.1:3000', `127.0.0.1:${serverPort}`)
  writeFileSync(join(folder, 'Caddyfile'), `{\n  admin off\n  auto_https off\n}\n${own}`)
  const child = spawn('caddy', ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'], {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (bytes: Buffer) => (log += bytes.toString()))
  const ended = new Promise((resolve) => child.on('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  await until(`Caddy serves: ${log}`, async () => (await raw(`${url}/livez`).catch(() => null))?.status === 200, 10_000)
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Opens a stream as a browser does, and returns its head and the text so far. */
async function streamOf(url: string, room: string) {
  const input = encodeURIComponent(JSON.stringify({ room }))
  const headers = { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
  const request = get(`${url}/trpc/onLocation?input=${input}`, { headers, agent: false })
  const response = await new Promise<IncomingMessage>((resolve, reject) => request.on('response', resolve).on('error', reject)) // prettier-ignore
  const encoding = response.headers['content-encoding']
  const heard = { encoding, text: '', close: () => request.destroy() }
  response.on('error', () => {})
  const plain = encoding === 'gzip' ? response.pipe(createGunzip()).on('error', () => {}) : response
  plain.on('data', (bytes: Buffer) => (heard.text += bytes.toString()))
  return heard
}

const documented = /```caddyfile\n([^]*?)```/.exec(readFileSync(join(root, 'docs/deploying.md'), 'utf8'))?.[1] ?? ''
const sites: [what: string, site: string, compress: boolean][] = [
  ['with the site of docs/deploying.md', documented, false],
  ['with the site of docs/deploying.md and compress: true', documented, true],
]

describe.skipIf(!hasCaddy && !process.env['CI'])('behind Caddy with encode gzip', { timeout: 60_000 }, () => {
  test.for(sites)(
    'behind Caddy %s, each post reaches a stream at once, and the server notices when the client closes the stream',
    async ([, site, compress]) => {
      await using server = await serveLocations({ compress, timing: { beatMs: 60_000, leaseMs: 300_000 } })
      await using proxy = await caddy(server.port, site)
      const client = stockClient(`${proxy.url}/trpc`)
      const stream = await streamOf(proxy.url, 'r')
      await until('the snapshot arrives', () => stream.text.includes('snapshot'))
      const { connectionKey } = await client.postLocation.mutate({ room: 'r', location: cell(1) })
      for (let row = 2; row <= 50; row++) {
        await client.postLocation.mutate({ room: 'r', connectionKey: connectionKey!, location: cell(1_000 + row) })
        await until(`post ${row} arrives`, () => stream.text.includes(`"row":${1_000 + row}`), 5_000)
      }
      expect(stream.encoding).toBe(compress ? 'gzip' : undefined)
      stream.close()
      await until('the stream has ended', () => (server.hub as unknown as Hub).readings().streams === 0, 5_000)
    },
  )
})
