import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import {
  corsHeaders,
  originRulesOf,
  refusalOf,
  type OriginOptions,
} from '../../../../src/server/http/guard/origin-check.js'

function request(
  headers: Record<string, string>,
  { method = 'GET', localAddress = '127.0.0.1' } = {},
): IncomingMessage {
  return {
    method,
    headers: { host: 'localhost:3000', ...headers },
    socket: { localAddress },
  } as unknown as IncomingMessage
}
const json = { 'content-type': 'application/json' }
const app = { origins: ['https://app.example'] }
const appRules = originRulesOf(app)
const codeOf = (options: OriginOptions, ...of: Parameters<typeof request>) =>
  refusalOf(request(...of), originRulesOf(options))?.code ?? 'in'

test.each<[string, OriginOptions, Parameters<typeof request>, string]>([
  ['a script without an origin', {}, [{}], 'in'],
  ['a page of this server', {}, [{ origin: 'http://localhost:3000' }], 'in'],
  ['a page behind a proxy that ends TLS', {}, [{ origin: 'https://localhost:3000' }], 'in'],
  ['a page of another port', {}, [{ origin: 'http://localhost:4000' }], 'FORBIDDEN'],
  ['a page of another origin', {}, [{ origin: 'https://evil.example' }], 'FORBIDDEN'],
  ['a page without one (a sandbox, a file)', {}, [{ origin: 'null' }], 'FORBIDDEN'],
  ['a listed origin', app, [{ origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }], 'in'],
  ['almost a listed origin', app, [{ origin: 'https://app.example.evil' }], 'FORBIDDEN'],
  ['a cross-site request that hides its origin', {}, [{ 'sec-fetch-site': 'cross-site' }], 'FORBIDDEN'],
  ['a request of the same origin that hides it', {}, [{ 'sec-fetch-site': 'same-origin' }], 'in'],
  ['a request that somebody typed', {}, [{ 'sec-fetch-site': 'none' }], 'in'],
  [
    'a request of another port or subdomain that hides its origin',
    {},
    [{ 'sec-fetch-site': 'same-site' }],
    'FORBIDDEN',
  ],
  ['a request with two kinds of site', {}, [{ 'sec-fetch-site': 'same-origin, cross-site' }], 'FORBIDDEN'],
  ['a listed origin of the same site', app, [{ origin: 'https://app.example', 'sec-fetch-site': 'same-site' }], 'in'],
  ['a name that was rebound to loopback', {}, [{ host: 'evil.example' }], 'FORBIDDEN'],
  ['a public name on a public address', {}, [{ host: 'app.example' }, { localAddress: '192.0.2.1' }], 'in'],
  [
    'a name that is not on the list',
    { allowedHosts: ['app.example'] },
    [{ host: 'evil.example' }, { localAddress: '192.0.2.1' }],
    'FORBIDDEN',
  ],
  ['a name on the list, with a port', { allowedHosts: ['app.example'] }, [{ host: 'App.example:8080' }], 'in'],
  ['a loopback name with the dot of the DNS root', {}, [{ host: 'localhost.:3000' }], 'in'],
  ['a name with two dots at its end', { allowedHosts: ['app.example'] }, [{ host: 'app.example..' }], 'FORBIDDEN'],
  ['a dot for a name', { allowedHosts: ['app.example'] }, [{ host: '.' }], 'FORBIDDEN'],
  ['a post of JSON', {}, [json, { method: 'POST' }], 'in'],
  [
    'a post of JSON with a charset',
    {},
    [{ 'content-type': 'application/json; charset=utf-8' }, { method: 'POST' }],
    'in',
  ],
  ['a post as a form sends it', {}, [{ 'content-type': 'text/plain' }, { method: 'POST' }], 'UNSUPPORTED_MEDIA_TYPE'],
  [
    'a post of almost JSON',
    {},
    [{ 'content-type': 'application/jsonx' }, { method: 'POST' }],
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['a post of nothing', {}, [{}, { method: 'POST' }], 'UNSUPPORTED_MEDIA_TYPE'],
])('the origin check decides on %s', (_what, options, of, expected) => {
  expect(codeOf(options, ...of)).toBe(expected)
})

const wildcard = { address: () => ({ address: '0.0.0.0' }) }
const loopback = { address: () => ({ address: '127.0.0.1' }) }
test.each([
  ['a server on all addresses, by a proxy on the same machine', wildcard, '127.0.0.1', 'in'],
  ['a server on all addresses', { address: () => ({ address: '::' }) }, '192.0.2.1', 'in'],
  ['a server on loopback', loopback, '127.0.0.1', 'FORBIDDEN'],
  ['a server on a pipe', { address: () => '/run/app.sock' }, undefined, 'in'],
  ['a server that is closed', { address: () => null }, '127.0.0.1', 'FORBIDDEN'],
  ['an unknown server', undefined, '127.0.0.1', 'FORBIDDEN'],
])(
  'a public name of %s is judged by the address that the server listens on',
  (_what, server, localAddress, expected) => {
    const asked = { method: 'GET', headers: { host: 'app.example' }, socket: { localAddress, server } }
    expect(refusalOf(asked, {})?.code ?? 'in').toBe(expected)
  },
)

describe('a page of a listed origin may send the headers that its preflight asks for', () => {
  const usual = 'content-type, authorization, last-event-id, trpc-accept'
  test.each([
    ['content-type', usual],
    ['content-type,traceparent', `${usual}, traceparent`],
    ['Sentry-Trace, baggage', `${usual}, sentry-trace, baggage`],
    ['x-csrf-token,x-csrf-token', `${usual}, x-csrf-token`],
    ['', usual],
    ['*', `${usual}, *`],
    ['x y', usual],
    ['x\r\nset-cookie: a=b', usual],
    ['x-é', usual],
    ['x:y', usual],
    [`x-${'a'.repeat(2_050)}`, usual],
  ])('Access-Control-Request-Headers: %j', (asked, allowed) => {
    const preflight = request({ origin: 'https://app.example', 'access-control-request-headers': asked })
    expect(corsHeaders(preflight, appRules)['access-control-allow-headers']).toBe(allowed)
  })
})

test('only a listed origin gets CORS headers', () => {
  expect(corsHeaders(request({ origin: 'https://app.example' }), appRules)).toMatchObject({
    'access-control-allow-origin': 'https://app.example',
    vary: 'origin',
  })
  expect(corsHeaders(request({ origin: 'https://evil.example' }), appRules)).toEqual({ vary: 'origin' })
  expect(corsHeaders(request({}), appRules)).toEqual({ vary: 'origin' })
  expect(corsHeaders(request({ origin: 'https://app.example' }), {})).toEqual({})
})
