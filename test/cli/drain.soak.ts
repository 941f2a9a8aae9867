import { request, type IncomingMessage } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { built } from '../support/built.js'
import { raw } from '../support/network/raw.js'
import { newKey } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'
import { ofType, start, type Command } from './command.js'

/* Draining a server. The documented promise is a thousand clients over 20 seconds: `npm run soak:server`. CI uses fewer. */

const isSoak = process.env['SOAK'] !== undefined
const clients = isSoak ? 1_000 : 100
const drainMs = isSoak ? 20_000 : 4_000

beforeAll(() => built('package'), 120_000)

/** Two servers that must behave alike: `hereabouts serve`, and a program of an app that uses createLocationServer. */
const servers: [string, (drainMs: number) => Command][] = [
  [
    'hereabouts serve',
    (ms) => start(['serve', '--port', '0', '--metrics', '0', '--drain', String(ms / 1_000), '--json']),
  ],
  [
    'createLocationServer',
    (ms) => start([], { script: fileURLToPath(new URL('../support/servers/own-server.mjs', import.meta.url)), env: { DRAIN_MS: String(ms) } }), // prettier-ignore
  ],
]

async function listening(server: Command) {
  const { url, metrics } = await server.next(ofType('listening'))
  return { url: String(url), metrics: String(metrics) }
}
const statusOf = async (url: string, path: string) =>
  (await raw(new URL(path, url).href, { agent: false }).catch(() => ({ status: 0 }))).status

/** Opens a watching stream, and records when it was closed. */
async function viewer(url: string, room: string) {
  const input = encodeURIComponent(JSON.stringify({ room }))
  const stream = { text: '', cutAt: 0 }
  const cut = new Promise<void>((resolve, reject) =>
    request(`${url}/onLocation?input=${input}`, { agent: false }, (response: IncomingMessage) => {
      response.setEncoding('utf8').on('data', (text: string) => (stream.text += text))
      response.on('close', () => ((stream.cutAt = performance.now()), resolve())).on('error', () => {})
    })
      .on('error', reject)
      .end(),
  )
  cut.catch(() => {})
  await until('the stream has a snapshot', () => stream.text.includes('"snapshot"'))
  return Object.assign(stream, { cut })
}

async function postOf(url: string, room: string, connectionKey: string, seq: number) {
  const body = JSON.stringify({ room, connectionKey, seq, location: { sheet: 'Q3', row: seq, col: 1 } })
  const headers = { 'content-type': 'application/json' }
  return raw(`${url}/postLocation`, { method: 'POST', headers, body, agent: false })
}

/** Returns the largest share of the moments that lies within one twentieth of the drain time. */
function greatestShare(moments: number[], sinceMs: number) {
  const shares = new Map<number, number>()
  for (const at of moments) {
    const part = Math.floor(((at - sinceMs) / drainMs) * 20)
    shares.set(part, (shares.get(part) ?? 0) + 1)
  }
  return Math.max(...shares.values()) / moments.length
}

describe.each(servers)('%s', (_name, starting) => {
  test('a server answers /livez, /readyz and /metrics while it drains after SIGTERM, and exits with 0', async () => {
    await using server = starting(2_000)
    const { url, metrics } = await listening(server)
    expect([await statusOf(url, '/livez'), await statusOf(url, '/readyz'), await statusOf(url, '/metrics')]).toEqual([200, 200, 404]) // prettier-ignore
    expect((await postOf(url, 'r', newKey(), 1)).status).toBe(200)
    const all = await Promise.all(Array.from({ length: 20 }, () => viewer(url, 'r')))
    const scraped = (await raw(metrics)).body
    expect(scraped).toContain('hereabouts_calls_total{procedure="postLocation",outcome="applied"} 1')
    expect(scraped).toContain('hereabouts_streams 20\n')
    const signalledAt = performance.now()
    server.kill('SIGTERM')
    expect(await server.next(ofType('draining'))).toMatchObject({ signal: 'SIGTERM' })
    expect([await statusOf(url, '/livez'), await statusOf(url, '/readyz')]).toEqual([200, 503])
    expect((await raw(metrics)).body).toContain('hereabouts_ready 0\n')
    const { code, stderr } = await server.ended
    expect([code, stderr.replace(/^clientIp: .*\n/, '')]).toEqual([0, ''])
    expect(performance.now() - signalledAt).toBeLessThan(2_000 + 10_000)
    for (const { text } of all) expect(text).toContain('"type":"bye","reason":"draining"')
  })

  test('a draining server exits at once with 1 on a second SIGTERM', async () => {
    await using server = starting(20_000)
    const { url } = await listening(server)
    await Promise.all(Array.from({ length: 100 }, () => viewer(url, 'r')))
    server.kill('SIGTERM')
    await server.next(ofType('draining'))
    // A second signal counts only after a while: an earlier one may be the same Ctrl-C, forwarded by npm.
    await passing(600)
    const signalledAt = performance.now()
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(1)
    expect(performance.now() - signalledAt).toBeLessThan(1_000)
  })
})

test(
  `on SIGTERM, ${clients} streams are closed evenly over the drain time, and no post is lost`,
  { timeout: 120_000 },
  async () => {
    await using server = servers[0]![1](drainMs)
    await using next = servers[0]![1](100)
    const [{ url }, { url: elsewhere }] = [await listening(server), await listening(next)]
    const streams = await Promise.all(Array.from({ length: clients }, (_, i) => viewer(url, `room ${i % 20}`)))
    // Clients whose stream is closed reconnect at once, to the other server.
    const cameBackAt: number[] = []
    const comingBack = streams.map(async ({ cut }, i) => {
      await cut
      await viewer(elsewhere, `room ${i % 20}`)
      cameBackAt.push(performance.now())
    })
    let isOver = false
    const refused: string[] = []
    let posts = 0
    let moved = 0
    const posting = Array.from({ length: 10 }, async (_, i) => {
      const connectionKey = newKey()
      let at = url
      for (let seq = 1; !isOver; seq++) {
        // When the server refuses or is gone, the client posts to the other server.
        const answer = await postOf(at, `room ${i}`, connectionKey, seq).catch(() => null)
        if (at === url && (answer === null || answer.status === 503)) {
          at = elsewhere
          moved += 1
          seq -= 1
          continue
        }
        if (answer?.status !== 200) refused.push(`${answer?.status} ${answer?.body}`)
        posts += 1
        await passing(50)
      }
    })
    const signalledAt = performance.now()
    server.kill('SIGTERM')
    await until('the draining server answers /readyz with 503', async () => (await statusOf(url, '/readyz')) === 503)
    const { code } = await server.ended
    const tookMs = performance.now() - signalledAt
    await Promise.all(comingBack)
    await until('all ten clients post to the other server', () => moved === 10)
    isOver = true
    await Promise.all(posting)
    expect(code).toBe(0)
    expect(tookMs).toBeLessThan(drainMs + 10_000)
    expect(refused).toEqual([])
    // So many posts mean that posting continued during the whole drain.
    expect(posts).toBeGreaterThan((10 * drainMs) / 1_000)
    for (const { text } of streams)
      expect(text.slice(text.indexOf('"type":"bye"'))).toMatch(/^"type":"bye","reason":"draining"\}\nid: \S+\n\n\n$/)
    const [cut, back] = [streams.map(({ cutAt }) => cutAt), cameBackAt].map((at) => greatestShare(at, signalledAt))
    if (isSoak) console.log(`${clients} streams: over after ${(tookMs / 1_000).toFixed(1)} s; of a second at most ${(100 * cut!).toFixed(1)} % were cut, ${(100 * back!).toFixed(1)} % came back; ${posts} posts`) // prettier-ignore
    // Evenly spread, except for delays of the measuring machine, which are negligible at full length.
    expect(cut).toBeLessThanOrEqual(isSoak ? 0.1 : 0.15)
    expect(back).toBeLessThanOrEqual(isSoak ? 0.1 : 0.15)
  },
)
