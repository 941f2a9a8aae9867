import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { raw } from '../../support/network/raw.js'
import { newKey, stockClient, subscribed } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * The app's callbacks and schemas may throw, hang or return an invalid value. Only the call that they ran for fails, within
 * the time limit of a callback; other callers are not affected.
 */

// A tenth of the default, to keep the test short.
const hookMs = 500

const ways: Record<string, () => unknown> = {
  throws() {
    throw new Error('a secret of the app')
  },
  rejects: () => Promise.reject(new Error('a secret of the app')),
  hangs: () => new Promise<never>(() => {}),
  'returns nothing': () => undefined,
  'returns an invalid value': () => ({ memberId: 7, expiresAt: 'later' }),
}
/** Misbehaves when the caller's header asks for it, as in `identify throws`. */
function perhaps<T>(hook: string, wanted: string | null | undefined, usual: T): T {
  const way = wanted?.startsWith(`${hook} `) ? ways[wanted.slice(hook.length + 1)] : undefined
  return way ? (way() as T) : usual
}

/** The expected statuses. tRPC answers 400 to any failure of an input; our message then has the code `unavailable`. */
const answers: [hook: string, statuses: Record<keyof typeof ways, number>][] = [
  ['identify', { throws: 401, rejects: 401, hangs: 503, 'returns nothing': 401, 'returns an invalid value': 500 }],
  ['authorize', { throws: 503, rejects: 503, hangs: 503, 'returns nothing': 403, 'returns an invalid value': 403 }],
  ['clientIp', { throws: 503, rejects: 503, hangs: 503, 'returns nothing': 200, 'returns an invalid value': 503 }],
  ['schema', { throws: 400, rejects: 400, hangs: 400, 'returns nothing': 400, 'returns an invalid value': 200 }],
]

const throwing = () => {
  throw new Error('a secret of the app')
}
const newServer = () =>
  serveLocations({
    location: z.strictObject({ at: z.string().refine((at) => perhaps('schema', at, true)) }),
    timing: { hookMs },
    identify: ({ ctx }) => perhaps('identify', ctx.headers.get('x-hook'), { memberId: ctx.headers.get('x-name') ?? '' }), // prettier-ignore
    authorize: ({ ctx }) => perhaps('authorize', ctx.headers.get('x-hook'), true),
    clientIp: ({ ctx }) => perhaps('clientIp', ctx.headers.get('x-hook'), '203.0.113.7'),
    // The logger and the metrics are called for every request, and fail each time.
    logger: { info: throwing, warn: (): void => Promise.reject(new Error('x')) as never, error: throwing },
    metrics: { ...prometheusMetrics(), called: throwing, fannedOut: throwing, streamEnded: throwing },
  })

describe.each(answers)('%s', (hook, statuses) => {
  let server: Awaited<ReturnType<typeof newServer>>
  beforeAll(async () => void (server = await newServer()))
  afterAll(() => server.close())

  const post = async (name: string, wanted: string, at: string) => {
    const headers = { 'content-type': 'application/json', 'x-name': name, 'x-hook': wanted }
    const body = JSON.stringify({ room: 'r', location: { at }, connectionKey: newKey() })
    const startedAt = performance.now()
    const answer = await raw(`${server.url}/postLocation`, { method: 'POST', headers, body })
    return { ...answer, tookMs: performance.now() - startedAt }
  }

  test.each(Object.entries(statuses))(
    `a call for which ${hook} %s is answered %i, and other callers are served meanwhile`,
    async (way, status) => {
      const client = stockClient(server.url, { headers: { 'x-name': 'viewer' } })
      using stream = subscribed(client, { room: 'r' })
      await until('the viewer has a snapshot', () => stream.told.length > 0)
      const wanted = `${hook} ${way}`
      const hurt = post('eve', wanted, hook === 'schema' ? wanted : 'A1')
      const others = await Promise.all([1, 2, 3].map((n) => post(`other ${n}`, '', `${wanted} ${n}`)))
      for (const other of others) {
        expect(other.status).toBe(200)
        expect(other.tookMs).toBeLessThan(hookMs)
      }
      const { status: answered, body, tookMs } = await hurt
      expect(answered).toBe(status)
      expect(tookMs).toBeLessThan(hookMs + 1_000)
      expect(body).not.toContain('secret')
      await until('the posts that succeeded are visible', () =>
        [1, 2, 3].every((n) =>
          [...stream.view.connections.values()].some(({ location }) =>
            JSON.stringify(location).includes(`${wanted} ${n}`),
          ),
        ),
      )
      expect(stream.errors.all).toEqual([])
    },
  )
})
