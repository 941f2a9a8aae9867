import { request, type IncomingMessage } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { built } from '../support/built.js'
import { raw } from '../support/raw.js'
import { newKey } from '../support/stock-client.js'
import { until } from '../support/until.js'
import { ofType, start } from './command.js'

/* DRAIN=1000 is the size that we promise, over 20 seconds; in CI it is smaller. */

const clients = Number(process.env['DRAIN'] ?? 100)
const drainMs = clients >= 1_000 ? 20_000 : 4_000

beforeAll(() => built('package'), 120_000)

test(
  `on SIGTERM, ${clients} who look on are let go one after the other, and no post is lost`,
  { timeout: 60_000 },
  async () => {
    await using server = start(['serve', '--port', '0', '--drain', String(drainMs / 1_000), '--json'])
    const url = (await server.next(ofType('listening')))['url'] as string
    const streams = await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        const input = encodeURIComponent(JSON.stringify({ room: `room ${i % 20}` }))
        const stream = { text: '', cutAt: 0 }
        const response = await new Promise<IncomingMessage>((resolve, reject) =>
          request(`${url}/onLocation?input=${input}`, { agent: false }, resolve).on('error', reject).end(),
        )
        response.setEncoding('utf8').on('data', (text: string) => (stream.text += text))
        response.on('close', () => (stream.cutAt = performance.now())).on('error', () => {})
        return stream
      }),
    )
    await until('all look on', () => streams.every(({ text }) => text.includes('"snapshot"')))
    let isOver = false
    const refused: string[] = []
    let posts = 0
    const posting = Array.from({ length: 10 }, async (_, i) => {
      const connectionKey = newKey()
      for (let seq = 1; !isOver; seq++) {
        const body = JSON.stringify({
          room: `room ${i}`,
          connectionKey,
          seq,
          location: { sheet: 'Q3', row: seq, col: i },
        })
        const headers = { 'content-type': 'application/json' }
        // Who finds nobody there any more asks somewhere else: that is what the server's last word is for.
        const answer = await raw(`${url}/postLocation`, { method: 'POST', headers, body, agent: false }).catch(
          () => null,
        )
        if (answer === null || answer.status === 503) break
        if (answer.status !== 200) refused.push(`${answer.status} ${answer.body}`)
        posts += 1
        await passing(50)
      }
    })
    const signalledAt = performance.now()
    server.kill('SIGTERM')
    await until(
      'it takes nobody new',
      async () => (await raw(new URL('/readyz', url).href).catch(() => ({ status: 0 }))).status === 503,
    )
    const { code } = await server.ended
    const tookMs = performance.now() - signalledAt
    isOver = true
    await Promise.all(posting)
    expect(code).toBe(0)
    expect(tookMs).toBeLessThan(drainMs + 10_000)
    expect(refused).toEqual([])
    // Posts went on for as long as anybody looked on.
    expect(posts).toBeGreaterThan((10 * drainMs) / 1_000)
    for (const { text } of streams)
      expect(text.slice(text.indexOf('"type":"bye"'))).toMatch(/^"type":"bye","reason":"draining"\}\nid: \S+\n\n\n$/)
    // Spread: no twentieth of the time has more than a tenth of them, and a little for the machine that counts.
    const share = new Map<number, number>()
    for (const { cutAt } of streams) {
      const part = Math.floor(((cutAt - signalledAt) / drainMs) * 20)
      share.set(part, (share.get(part) ?? 0) + 1)
    }
    expect(Math.max(...share.values()) / clients).toBeLessThanOrEqual(0.15)
  },
)
