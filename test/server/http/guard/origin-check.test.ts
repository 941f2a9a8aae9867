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
  ['a page without an origin (a sandboxed frame, a local file)', {}, [{ origin: 'null' }], 'FORBIDDEN'],
  ['a page of a listed origin', app, [{ origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }], 'in'],
  ['a page whose origin begins with a listed one', app, [{ origin: 'https://app.example.evil' }], 'FORBIDDEN'],
  ['a cross-site request without an Origin header', {}, [{ 'sec-fetch-site': 'cross-site' }], 'FORBIDDEN'],
  ['a same-origin request without an Origin header', {}, [{ 'sec-fetch-site': 'same-origin' }], 'in'],
  ['a request whose URL was typed into the browser', {}, [{ 'sec-fetch-site': 'none' }], 'in'],
  [
    'a request of another port or subdomain without an Origin header',
    {},
    [{ 'sec-fetch-site': 'same-site' }],
    'FORBIDDEN',
  ],
  ['a request with two values of Sec-Fetch-Site', {}, [{ 'sec-fetch-site': 'same-origin, cross-site' }], 'FORBIDDEN'],
  ['a same-site listed origin', app, [{ origin: 'https://app.example', 'sec-fetch-site': 'same-site' }], 'in'],
  ['a public host name that was rebound to loopback', {}, [{ host: 'evil.example' }], 'FORBIDDEN'],
  ['a public host name on a public address', {}, [{ host: 'app.example' }, { localAddress: '192.0.2.1' }], 'in'],
  [
    'a host name that allowedHosts does not list',
    { allowedHosts: ['app.example'] },
    [{ host: 'evil.example' }, { localAddress: '192.0.2.1' }],
    'FORBIDDEN',
  ],
  ['a host name in allowedHosts, with a port', { allowedHosts: ['app.example'] }, [{ host: 'App.example:8080' }], 'in'],
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
    'a post whose content type only begins like JSON',
    {},
    [{ 'content-type': 'application/jsonx' }, { method: 'POST' }],
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['a post without a content type', {}, [{}, { method: 'POST' }], 'UNSUPPORTED_MEDIA_TYPE'],
])('the origin check accepts %s, or refuses it with the documented tRPC error code', (_what, options, of, expected) => {
  expect(codeOf(options, ...of)).toBe(expected)
})

const wildcard = { address: () => ({ address: '0.0.0.0' }) }
const loopback = { address: () => ({ address: '127.0.0.1' }) }
test.each([
  ['a server on all addresses, through a proxy on the same machine', wildcard, '127.0.0.1', 'in'],
  ['a server on all addresses', { address: () => ({ address: '::' }) }, '192.0.2.1', 'in'],
  ['a server on loopback', loopback, '127.0.0.1', 'FORBIDDEN'],
  ['a server on a pipe', { address: () => '/run/app.sock' }, undefined, 'in'],
  ['a server that is closed', { address: () => null }, '127.0.0.1', 'FORBIDDEN'],
  ['an unknown server', undefined, '127.0.0.1', 'FORBIDDEN'],
])(
  'a request under a public host name to %s is judged by the address that the server listens on',
  (_what, server, localAddress, expected) => {
    const asked = { method: 'GET', headers: { host: 'app.example' }, socket: { localAddress, server } }
    expect(refusalOf(asked, {})?.code ?? 'in').toBe(expected)
  },
)

describe('the CORS headers of a preflight', () => {
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
  ])('a page of a listed origin may send the headers that its preflight asks for: %j', (asked, allowed) => {
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
