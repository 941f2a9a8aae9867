import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { raw } from '../../support/network/raw.js'
import { newKey, stockClient, subscribed } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * Whatever the app gives us to run may throw, hang, or talk nonsense. It hurts who it was run for, with an error within the
 * time that a hook has, and nobody else.
 */

// Five seconds, ten times as fast.
const hookMs = 500

const ways: Record<string, () => unknown> = {
  throws() {
    throw new Error('a secret of the app')
  },
  rejects: () => Promise.reject(new Error('a secret of the app')),
  hangs: () => new Promise<never>(() => {}),
  'says nothing': () => undefined,
  'talks nonsense': () => ({ memberId: 7, expiresAt: 'later' }),
}
/** Misbehaves when the caller asked for that: `identify throws`. */
function perhaps<T>(hook: string, wanted: string | null | undefined, usual: T): T {
  const way = wanted?.startsWith(`${hook} `) ? ways[wanted.slice(hook.length + 1)] : undefined
  return way ? (way() as T) : usual
}

/** What the caller is told. tRPC answers 400 to whatever becomes of an input; our code in its message is `unavailable`. */
const answers: [hook: string, statuses: Record<keyof typeof ways, number>][] = [
  ['identify', { throws: 401, rejects: 401, hangs: 503, 'says nothing': 401, 'talks nonsense': 500 }],
  ['authorize', { throws: 503, rejects: 503, hangs: 503, 'says nothing': 403, 'talks nonsense': 403 }],
  ['clientIp', { throws: 503, rejects: 503, hangs: 503, 'says nothing': 200, 'talks nonsense': 503 }],
  ['schema', { throws: 400, rejects: 400, hangs: 400, 'says nothing': 400, 'talks nonsense': 200 }],
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
    // These two are told of everything that happens, and fail each time.
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
    'that %s is answered %i, and others are served meanwhile',
    async (way, status) => {
      const client = stockClient(server.url, { headers: { 'x-name': 'viewer' } })
      using stream = subscribed(client, { room: 'r' })
      await until('there is a snapshot', () => stream.told.length > 0)
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
      await until('all that went well is seen', () =>
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
