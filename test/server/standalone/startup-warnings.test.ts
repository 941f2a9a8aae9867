import { describe, expect, test } from 'vitest'
import { startupWarnings } from '../../../src/server/standalone/startup-warnings.js'
import { serverTimeoutWarnings, type ServerTimeouts } from '../../../src/server/http/server-timeouts.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { createLocationServer } from 'hereabouts/server/standalone'
import { cellLocation } from 'hereabouts'

const usual = {
  address: '127.0.0.1',
  isOpenToAll: true,
  limits: defaultLimits,
  timing: defaultTiming,
}

test('the default options on a loopback address cause no startup warning', () => {
  expect(startupWarnings(usual)).toEqual([])
  expect(
    startupWarnings({ ...usual, address: '::1', origins: ['https://app.example', 'http://localhost:5173'] }),
  ).toEqual([])
})

test.each([
  ['anonymous access on a public address', { address: '0.0.0.0' }, /^anonymous: /],
  ['an origin without encryption', { origins: ['http://app.example'] }, /^origins: http:\/\/app\.example /],
  [
    'a limit of streams above the default',
    { limits: { ...defaultLimits, streams: 20_001 } },
    /^limits\.streams is 20001; the default is 20000\.$/,
  ],
  ['a static folder without a page', { emptyFolder: '/srv/nope' }, /^static: there is no index\.html in \/srv\/nope: /],
  ['an infinite limit', { limits: { ...defaultLimits, postBurst: Infinity } }, /^limits\.postBurst is Infinity/],
  ['a limit that is NaN', { limits: { ...defaultLimits, depth: NaN } }, /^limits\.depth is NaN/],
  ['requestMs above tombstoneMs', { timing: { ...defaultTiming, requestMs: 60_000 } }, /^timing\.requestMs /],
  ['recheckMs above a minute', { timing: { ...defaultTiming, recheckMs: 60_001 } }, /^timing\.recheckMs is 60001/],
])('%s causes one startup warning', (_what, weakened, sentence) => {
  expect(startupWarnings({ ...usual, ...weakened })).toEqual([expect.stringMatching(sentence)])
})

test.each<[ServerTimeouts, RegExp | null]>([
  [{}, null],
  [{ requestTimeout: 20_000, headersTimeout: 20_000 }, null],
  [{ requestTimeout: 59_999, headersTimeout: 60_000 }, null],
  [{ requestTimeout: 60_000 }, /^server\.requestTimeout is 60000: /],
  [{ requestTimeout: 0 }, /^server\.requestTimeout is 0: /],
  [{ requestTimeout: 20_000, headersTimeout: 0 }, /^server\.headersTimeout is 0: /],
  [{ timeout: 15_000 }, null],
  [{ timeout: 0 }, /^server\.timeout is 0: .* set it to 15000\.$/],
])("the timeouts %o of an app's own server cause a warning when they are off or too long", (timeouts, sentence) => {
  const warnings = serverTimeoutWarnings(timeouts, defaultTiming)
  expect(warnings).toEqual(sentence ? [expect.stringMatching(sentence)] : [])
})

test('limits below the defaults cause no startup warning', () => {
  expect(startupWarnings({ ...usual, limits: { ...defaultLimits, streams: 1, depth: 2 } })).toEqual([])
})

test('a server logs its startup warnings when it begins to listen, not when it is created', async () => {
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const server = createLocationServer({ location: cellLocation, anonymous: true, logger, limits: { streams: 1e6 } })
  expect(warnings).toEqual([])
  await server.listen(0)
  await server.close()
  expect(warnings).toEqual(['limits.streams is 1000000; the default is 20000.'])
})

describe('a warning about proxies', () => {
  const warnings: string[] = []
  const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
  const clientIpWarning = expect.stringMatching(/^clientIp: .* not limited by address/) as string
  const serve = async (host: string, clientIp?: () => string) => {
    warnings.length = 0
    const server = createLocationServer({
      location: cellLocation,
      identify: () => ({ memberId: 'ada' }),
      authorize: () => true,
      logger,
      ...(clientIp && { clientIp }),
    })
    const { url } = await server.listen(0, host)
    const ask = (headers: Record<string, string>) => fetch(`${url}/livez`, { headers })
    return { ask, [Symbol.asyncDispose]: () => server.close() }
  }

  test('a warning about proxies is logged when a server without clientIp begins to listen on all addresses', async () => {
    await using _server = await serve('0.0.0.0')
    expect(warnings).toEqual([clientIpWarning])
  })

  test.each(['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])(
    'a warning about proxies is logged once by a server without clientIp on a loopback address, when a request has the header %s',
    async (header) => {
      await using server = await serve('127.0.0.1')
      await server.ask({})
      expect(warnings).toEqual([])
      await server.ask({ [header]: '203.0.113.9' })
      await server.ask({ [header]: '203.0.113.9' })
      expect(warnings).toEqual([clientIpWarning])
    },
  )

  test('a warning about proxies is never logged by a server with clientIp', async () => {
    await using server = await serve('0.0.0.0', () => '203.0.113.9')
    await server.ask({ via: '1.1 proxy' })
    expect(warnings).toEqual([])
  })
})
