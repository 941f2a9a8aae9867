import { initTRPC, TRPCError } from '@trpc/server'
import { LocationError } from 'hereabouts'
import { toTRPCError } from 'hereabouts/server'
import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { newKey } from '../../support/clients/stock-client.js'
import { raw } from '../../support/network/raw.js'

/** A server on which the second call of each kind is rate-limited, for more than a second. */
const served = () =>
  serveLocations({
    identify: () => ({ memberId: 'ada' }),
    authorize: () => true,
    limits: {
      postsPerSecond: 0.5,
      postBurst: 1,
      readsPerSecond: 0.5,
      readBurst: 1,
      streamsPerMinute: 30,
      streamBurst: 1,
    },
  })

const post = (url: string) =>
  raw(`${url}/postLocation`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ room: 'r', location: null, connectionKey: newKey() }),
  })
const query = (url: string) => raw(`${url}/getLocations?input=${encodeURIComponent('{"room":"r"}')}`)
const batch = (url: string) =>
  raw(`${url}/getLocations,getLocations?batch=1&input=${encodeURIComponent('{"0":{"room":"r"},"1":{"room":"r"}}')}`)

const between = (least: number, most: number) => expect.toSatisfy((ms: number) => ms > least && ms <= most)

describe('a rate-limited call of createLocationServer', () => {
  test.each([
    ['post', post],
    ['query', query],
  ])(
    'a rate-limited call of createLocationServer is answered with retryAfterMs and a retry-after header: a %s',
    async (_name, call) => {
      await using server = await served()
      const first = await call(server.url)
      expect([first.status, first.headers['retry-after']]).toEqual([200, undefined])
      const { status, headers, body } = await call(server.url)
      expect(status).toBe(429)
      const { error } = JSON.parse(body) as { error: { message: string; data: { retryAfterMs: number } } }
      expect(error.data.retryAfterMs).toEqual(between(1_000, 2_000))
      expect(error.message).toMatch(new RegExp(`: try again in ${error.data.retryAfterMs} ms\\.$`))
      expect(headers['retry-after']).toBe('2')
    },
  )

  test('a rate-limited call in a batch with a call that succeeds is answered with retryAfterMs and a retry-after header', async () => {
    await using server = await served()
    const { headers, body } = await batch(server.url)
    const answers = JSON.parse(body) as { result?: object; error?: { data: object } }[]
    expect(answers.map(({ error }) => error === undefined)).toEqual(expect.arrayContaining([true, false]))
    expect(answers.find(({ error }) => error)!.error!.data).toMatchObject({ retryAfterMs: between(1_000, 2_000) })
    expect(headers['retry-after']).toBe('2')
  })

  test('a call that is refused for bad input is answered without retryAfterMs and without a retry-after header', async () => {
    await using server = await served()
    const { status, headers, body } = await raw(`${server.url}/getLocations?input=${encodeURIComponent('{"room":""}')}`)
    expect([status, headers['retry-after']]).toEqual([400, undefined])
    expect(body).not.toContain('retryAfterMs')
  })
})

describe('toTRPCError', () => {
  test("toTRPCError turns a LocationError that an app's procedure throws into a TRPCError with its code and retryAfterMs", async () => {
    const t = initTRPC.create()
    const router = t.router({
      own: t.procedure.query(() => {
        throw toTRPCError(new LocationError('rate-limited', 'Too many: try again in 7 ms.', { retryAfterMs: 7 }))
      }),
    })
    await expect(t.createCallerFactory(router)({}).own()).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      message: 'rate-limited: Too many: try again in 7 ms.',
      cause: { code: 'rate-limited', retryAfterMs: 7 },
    })
  })

  test('toTRPCError returns an error that is not a LocationError unchanged', () => {
    for (const error of [new Error('x'), new TRPCError({ code: 'CONFLICT' })]) expect(toTRPCError(error)).toBe(error)
  })
})
