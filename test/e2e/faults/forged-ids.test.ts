import fc from 'fast-check'
import type { LocationEvent } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, expect, test } from 'vitest'
import { dataOf, mutation, query } from '../../support/network/http.js'
import { cell } from '../../support/clients/stock-client.js'

/* Every client sends event ids back. An id that is forged is answered with a snapshot, never with an error. */

const logged: unknown[] = []
const log = (...said: unknown[]) => void logged.push(said)
const server = await serveLocations({ logger: { info: log, warn: log, error: log } })
afterAll(() => server.close())
// The log lines of the server at startup are not counted.
logged.length = 0

const room = 'forged'
type Told = { id: string; event: LocationEvent }
const ask = async (lastEventId?: string | null) =>
  dataOf<Told>(await query(server.url, 'getLocations', { room, lastEventId }))

await mutation(server.url, 'postLocation', {
  room,
  connectionKey: 'A'.repeat(22),
  seq: 1,
  location: cell(1),
  leaseMs: 300_000,
})
const { id } = await ask()
const [epoch, digits] = id.split('.') as [string, string]
const version = Number(digits)
/** Versions from before the room began. Later versions are valid even if no frame ended at them. */
const secondsAgo = 10_000_000

const base64url = fc.stringMatching(/^[\w-]{11}$/)
const forged = fc
  .oneof(
    fc.string({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !/\p{Cs}/u.test(text)),
    // Ids that are nearly valid: with another epoch, an impossible version or a future version.
    fc.tuple(base64url, fc.nat()).map((parts) => parts.join('.')),
    fc.tuple(base64url, fc.bigInt({ min: 0n, max: 10n ** 30n })).map((parts) => parts.join('.')),
    fc.integer({ min: 0, max: version - secondsAgo }).map((before) => `${epoch}.${before}`),
    fc.integer({ min: version + 1, max: Number.MAX_SAFE_INTEGER }).map((after) => `${epoch}.${after}`),
    fc.double().map((number) => `${epoch}.${number}`),
    fc
      .tuple(fc.nat(id.length), fc.string({ minLength: 1, maxLength: 3 }))
      .map(([at, text]) => id.slice(0, at) + text + id.slice(at)),
    fc.nat(id.length - 2).map((length) => id.slice(0, length)),
    fc.json(),
  )
  .filter((text) => text !== id)

test('a thousand forged ids are answered with a snapshot, never an error', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(forged, async (lastEventId) => {
      const told = await ask(lastEventId)
      expect(told).toMatchObject({ id, event: { type: 'snapshot', connections: [{ location: cell(1) }] } })
    }),
    { numRuns: 1_000 },
  )
  expect(logged).toEqual([])
})

test(
  'a stream with a forged id gets a snapshot, and its hello does not repeat the id',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(forged, fc.boolean(), async (lastEventId, inHeader) => {
        // A header carries Latin-1 without line breaks. Other ids are sent in the input.
        const fits = inHeader && /^[\x21-\x7e]+$/.test(lastEventId)
        const input = encodeURIComponent(JSON.stringify({ room, ...(!fits && { lastEventId }) }))
        const closing = new AbortController()
        const response = await fetch(`${server.url}/onLocation?input=${input}`, {
          headers: fits ? { 'last-event-id': lastEventId } : {},
          signal: closing.signal,
        })
        let text = ''
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk
          if (text.includes('"snapshot"') && text.endsWith('\n\n\n')) break
          if (text.includes('serialized-error')) break
        }
        closing.abort()
        const [, hello, snapshot] = text.split('\n\n\n')
        expect(hello).toMatch(/^data: \{"type":"hello"/)
        expect(hello!.split('\n')[1]).toBe(`id: ${epoch}.0`)
        expect(snapshot).toMatch(/^data: \{"type":"snapshot"/)
      }),
      { numRuns: 250 },
    )
    expect(logged).toEqual([])
  },
)

test('a stream with a genuine last event id resumes with changes, not with a snapshot', async () => {
  expect(await ask(id)).toMatchObject({ id, event: { type: 'changes', from: id } })
})
