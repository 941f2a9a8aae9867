import { cellLocation } from 'hereabouts'
import {
  createLocationHub,
  createLocationMiddleware,
  createLocationRouter,
  createRequestGuard,
} from 'hereabouts/server'
import { createLocationServer } from 'hereabouts/server/standalone'
import { initTRPC } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import {
  corsHeaders,
  originRulesOf,
  refusalOf,
  type OriginOptions,
} from '../../../../src/server/http/guard/origin-check.js'

/** Returns `allowed` or the code of the refusal, and the origin that the CORS headers allow. */
function check(options: OriginOptions, host: string, origin: string) {
  const request = { method: 'GET', headers: { host, origin }, socket: { localAddress: '192.0.2.1' } }
  const rules = originRulesOf(options)
  const isAllowed = refusalOf(request, rules)?.code ?? 'allowed'
  return [isAllowed, corsHeaders(request, rules)['access-control-allow-origin']]
}

describe('normalization of origins and allowedHosts', () => {
  test.each([
    ['https://app.example', 'https://app.example'],
    ['https://app.example/', 'https://app.example'],
    ['https://App.Example', 'https://app.example'],
    ['HTTPS://app.example:443', 'https://app.example'],
    ['http://app.example:80', 'http://app.example'],
    ['https://app.example:8443', 'https://app.example:8443'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['null', 'null'],
  ])('the entry %s in origins allows pages of %s', (entry, origin) => {
    expect(check({ origins: [entry] }, 'api.example', origin)).toEqual(['allowed', origin])
  })

  test.each([
    ['app.example', 'app.example'],
    ['App.Example', 'APP.example'],
    ['app.example', 'app.example:443'],
    ['[2001:DB8::1]', '[2001:db8::1]:8080'],
    ['app.example', 'app.example.'],
    ['app.example', 'App.example.:443'],
    ['app.example.', 'app.example'],
  ])('the entry %s in allowedHosts allows the Host header %s', (entry, host) => {
    expect(check({ allowedHosts: [entry], origins: ['https://a.example'] }, host, 'https://a.example')[0]).toBe(
      'allowed',
    )
  })

  test.each([
    ['app.example:443', 'https://app.example', 'allowed'],
    ['app.example:80', 'http://app.example', 'allowed'],
    ['app.example', 'https://app.example', 'allowed'],
    ['app.example:443', 'http://app.example', 'FORBIDDEN'],
    ['app.example:80', 'https://app.example', 'FORBIDDEN'],
    ['app.example:8443', 'https://app.example', 'FORBIDDEN'],
    ['app.example:443', 'https://evil.example', 'FORBIDDEN'],
    ['app.example', 'null', 'FORBIDDEN'],
  ])('a request with Host %s and Origin %s is %s: a default port equals no port', (host, origin, expected) => {
    expect(check({}, host, origin)[0]).toBe(expected)
  })
})

test('the entry null in origins allows sandboxed frames only when they send no cookies', () => {
  const rules = originRulesOf({ origins: ['null', 'https://app.example'] })
  const request = (origin: string, cookie?: string) => ({
    method: 'GET',
    headers: { host: 'api.example', origin, cookie, 'sec-fetch-site': 'cross-site' },
    socket: { localAddress: '192.0.2.1' },
  })
  const ask = (origin: string, cookie?: string) => {
    const asked = request(origin, cookie)
    return [refusalOf(asked, rules)?.code ?? 'allowed', corsHeaders(asked, rules)['access-control-allow-credentials']]
  }
  expect(ask('null')).toEqual(['allowed', undefined])
  expect(ask('null', 'session=1')).toEqual(['FORBIDDEN', undefined])
  expect(ask('https://app.example', 'session=1')).toEqual(['allowed', 'true'])
})

describe('wrong entries of origins and allowedHosts', () => {
  const t = initTRPC.create()
  const hub = createLocationHub({ location: cellLocation })
  const router = t.router({ locations: createLocationRouter({ hub, procedure: t.procedure, anonymous: true }) })
  const constructors: [string, (options: OriginOptions) => unknown][] = [
    [
      'createLocationServer',
      (options) => createLocationServer({ location: cellLocation, anonymous: true, ...options }),
    ],
    ['createLocationMiddleware', (options) => createLocationMiddleware({ router, ...options })],
    ['createRequestGuard', (options) => createRequestGuard(options)],
  ]
  const wrong: [string, unknown, string][] = [
    ['origins', 'https://app.company.com,https://b.example', 'https://app.company.com,https://b.example'],
    ['origins', ['app.example'], 'app.example'],
    ['origins', ['app.example:8443'], 'app.example:8443'],
    ['origins', ['*'], '*'],
    ['origins', ['https://*.vercel.app'], 'https://*.vercel.app'],
    ['origins', ['https://app.example/path'], 'https://app.example/path'],
    ['origins', ['https://user@app.example'], 'https://user@app.example'],
    ['origins', ['NULL'], 'NULL'],
    ['origins', [''], ''],
    ['origins', [undefined], 'undefined'],
    ['allowedHosts', 'app.example', 'app.example'],
    ['allowedHosts', ['https://app.example'], 'https://app.example'],
    ['allowedHosts', ['app.example:8443'], 'app.example:8443'],
    ['allowedHosts', ['app.example/'], 'app.example/'],
    ['allowedHosts', ['*.app.example'], '*.app.example'],
    ['allowedHosts', [''], ''],
  ]
  test.each(constructors.flatMap(([name, construct]) => wrong.map((each) => [name, ...each, construct] as const)))(
    '%s refuses the option %s with the value %j as `misconfigured`, and quotes the wrong entry',
    (_name, option, value, entry, construct) => {
      const error = expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(`"${entry}"`) })
      expect(() => construct({ [option]: value })).toThrow(error as Error)
    },
  )
})
