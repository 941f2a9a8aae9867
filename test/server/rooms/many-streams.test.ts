import { Agent, request, type IncomingMessage } from 'node:http'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'
import { newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/* Tests what happens to 500 open streams when the rights of their members end. */

const streams = 500
const limits = Object.fromEntries(['streamBurst', 'memberStreams', 'memberRoomStreams', 'postBurst', 'connectionBurst', 'memberConnections'].map((limit) => [limit, 1e6])) // prettier-ignore

type Stream = { text: string; endedAt: number | null; response: IncomingMessage }

/** Opens the streams in one room and waits until each has its snapshot. `nameOf` names the member of the i-th stream. */
async function opened(url: string, nameOf: (i: number) => string): Promise<Stream[]> {
  const agent = new Agent({ maxSockets: streams })
  const input = encodeURIComponent(JSON.stringify({ room: 'r' }))
  const all = await Promise.all(
    Array.from({ length: streams }, async (_, i) => {
      const stream = { text: '', endedAt: null } as unknown as Stream
      await new Promise<void>((resolve, reject) => {
        const asked = request(`${url}/onLocation?input=${input}`, { agent, headers: { authorization: nameOf(i) } })
        asked.on('error', reject).on('response', (response) => {
          stream.response = response
          response.setEncoding('utf8').on('data', (text: string) => (stream.text += text))
          response.on('close', () => (stream.endedAt = performance.now())).on('error', () => {})
          resolve()
        })
        asked.end()
      })
      return stream
    }),
  )
  await until('all streams have a snapshot', () => all.every(({ text }) => text.includes('"snapshot"')))
  return all
}

const people = {
  limits,
  identify: ({ ctx }: { ctx: { headers: Headers } }) => ({ memberId: ctx.headers.get('authorization') ?? '' }),
  authorize: (): boolean => true,
}
const afterBye = (text: string) => text.slice(text.indexOf('"type":"bye"'))

async function postedBy(url: string, name: string) {
  const headers = { authorization: name, 'content-type': 'application/json' }
  const body = JSON.stringify({ room: 'r', location: { sheet: 'Q3', row: 1, col: 1 }, connectionKey: newKey() })
  return raw(`${url}/postLocation`, { method: 'POST', headers, body })
}

describe(`${streams} open streams`, () => {
  test(
    'the streams of a revoked member end within a second with a final error, and are sent nothing after that error',
    { timeout: 30_000 },
    async () => {
      await using server = await serveLocations(people)
      const all = await opened(server.url, (i) => (i % 2 ? 'ada' : 'bob'))
      const [adas, bobs] = [all.filter((_, i) => i % 2), all.filter((_, i) => i % 2 === 0)]
      const revokedAt = performance.now()
      await server.hub.revoke('ada')
      // Another member keeps posting while the streams end.
      for (let i = 0; i < 5; i++) expect((await postedBy(server.url, 'bob')).status).toBe(200)
      await until('the streams have ended', () => adas.every(({ endedAt }) => endedAt !== null))
      expect(Math.max(...adas.map(({ endedAt }) => endedAt!)) - revokedAt).toBeLessThan(1_000)
      for (const { text } of adas) {
        expect(text).toContain('"reason":"revoked"')
        expect(afterBye(text)).toMatch(
          /^"type":"bye","reason":"revoked"\}\nid: \S+\n\n\nevent: serialized-error\ndata: \{.*"FORBIDDEN".*\}\n\n\n$/,
        )
      }
      await until('bob is sent every post', () => bobs.every(({ text }) => text.split('"entered"').length === 6))
      expect(bobs.every(({ endedAt }) => endedAt === null)).toBe(true)
    },
  )

  test(
    'streams end within a second of the expiry of their identity, with a bye that lets the client reconnect',
    { timeout: 30_000 },
    async () => {
      const endsAt = Date.now() + 8_000
      await using server = await serveLocations({
        ...people,
        identify: ({ ctx }) => ({ memberId: ctx.headers.get('authorization') ?? '', expiresAt: new Date(endsAt) }),
      })
      const all = await opened(server.url, (i) => `member ${i % 50}`)
      const due = performance.now() + (endsAt - Date.now())
      await until('the streams have ended', () => all.every(({ endedAt }) => endedAt !== null))
      for (const { endedAt, text } of all) {
        expect(endedAt! - due).toBeGreaterThan(-50)
        expect(endedAt! - due).toBeLessThan(1_000)
        expect(afterBye(text)).toMatch(/^"type":"bye","reason":"expired"\}\nid: \S+\n\n\n$/)
      }
    },
  )

  test(
    'streams of a member who lost the right to read end at the next recheck, or within a second of hub.revoke()',
    { timeout: 30_000 },
    async () => {
      const readers = new Set(['ada', 'bob', 'eve'])
      await using server = await serveLocations({
        ...people,
        authorize: ({ member }: { member: { memberId: string } }) => readers.has(member.memberId),
        timing: { recheckMs: 1_000, beatMs: 500 },
      })
      const all = await opened(server.url, (i) => ['ada', 'bob', 'eve'][i % 3]!)
      const of = (name: number) => all.filter((_, i) => i % 3 === name)
      readers.delete('ada')
      const since = performance.now()
      await until('the streams of ada have ended', () => of(0).every(({ endedAt }) => endedAt !== null))
      expect(performance.now() - since).toBeLessThan(1_000 + 500 + 1_000)
      readers.delete('bob')
      const saidAt = performance.now()
      await server.hub.revoke('bob', 'r')
      await until('the streams have ended', () => of(1).every(({ endedAt }) => endedAt !== null))
      expect(performance.now() - saidAt).toBeLessThan(1_000)
      for (const { text } of [...of(0), ...of(1)]) expect(afterBye(text)).toContain('FORBIDDEN')
      expect(of(2).every(({ endedAt }) => endedAt === null)).toBe(true)
    },
  )
})

describe('a revocation while authorize() is in progress', () => {
  test('a member who is revoked while authorize() is in progress gets no stream, and the post of that member is refused', async () => {
    const asked: (() => void)[] = []
    let mayAll = true
    await using server = await serveLocations({
      ...people,
      authorize: async () => {
        const may = mayAll
        if (asked.length < 2) await new Promise<void>((resolve) => asked.push(resolve))
        return may
      },
    })
    const input = encodeURIComponent(JSON.stringify({ room: 'r' }))
    const stream = raw(`${server.url}/onLocation?input=${input}`, { headers: { authorization: 'ada' } })
    const post = postedBy(server.url, 'ada')
    await until('both calls wait for authorize()', () => asked.length === 2)
    mayAll = false
    await server.hub.revoke('ada')
    for (const answer of asked) answer()
    expect((await stream).body).toContain('FORBIDDEN')
    expect((await post).status).toBe(403)
    expect(await server.hub.room('r').members()).toEqual([])
    expect((await postedBy(server.url, 'ada')).status).toBe(403)
  })
})
