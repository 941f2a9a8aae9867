import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import {
  createLocationHub,
  createLocationRouter,
  createRequestGuard,
  type RequestGuardOptions,
} from 'hereabouts/server'
import { describe, expect, test } from 'vitest'

/* The options of the request guard take effect, in each way in which it finds the location procedures. */

const t = initTRPC.create()
const hub = createLocationHub({ location: cellLocation, limits: { batch: 3, bodyBytes: 500, depth: 6 } })
const record = createLocationRouter({ hub, procedure: t.procedure, anonymous: true })
const router = t.router({ locations: record, presence: record, hello: t.procedure.query(() => 'hello') })

type Asked = { calls?: number; path?: string; bytes?: number; depth?: number; headers?: object }

/** Returns `passed`, or the status and the message of the refusal. */
function ask(
  options: RequestGuardOptions,
  { calls = 1, path = 'locations', bytes = 20, depth = 1, headers = {} }: Asked = {},
) {
  let answer = 'nothing'
  let status = 0
  const url = `/${Array(calls).fill(`${path}.postLocation`).join()}${calls > 1 ? '?batch=1' : ''}`
  const body = Array.from({ length: depth }).reduce<unknown>((inner) => ({ inner }), 1)
  const request = {
    method: 'POST',
    url,
    headers: { host: 'localhost', 'content-type': 'application/json', 'content-length': String(bytes), ...headers },
    socket: { localAddress: '127.0.0.1' },
    body,
  }
  const response = {
    setHeader() {},
    writeHead: (code: number) => (status = code),
    end: (text = '') => (answer = `${status} ${(JSON.parse(text) as { error: { message: string } }).error.message}`),
  }
  createRequestGuard(options)(request, response, () => (answer = 'passed'))
  return answer
}

const ways: [
  string,
  (own?: RequestGuardOptions) => RequestGuardOptions,
  { batch: number; bodyBytes: number; depth: number },
][] = [
  ['by the names of the procedures', (own = {}) => own, { batch: 8, bodyBytes: 8_192, depth: 8 }],
  ['by the router', (own = {}) => ({ router, ...own }), { batch: 3, bodyBytes: 500, depth: 6 }],
]

describe.each(ways)('a guard that finds the procedures %s', (_way, given, usual) => {
  test('the guard has the limits of the option, or else those of the hub or the defaults', () => {
    for (const { batch, bodyBytes, depth } of [usual, { batch: 2, bodyBytes: 100, depth: 3 }]) {
      const options = batch === usual.batch ? given() : given({ limits: { batch, bodyBytes, depth } })
      expect(ask(options, { calls: batch })).toBe('passed')
      expect(ask(options, { calls: batch + 1 })).toContain(`400 bad-input: A batch may have at most ${batch} calls`)
      expect(ask(options, { bytes: bodyBytes })).toBe('passed')
      expect(ask(options, { bytes: bodyBytes + 1 })).toContain(
        `413 too-large: The body has more than ${bodyBytes} bytes`,
      )
      expect(ask(options, { depth: depth + 4 })).toBe('passed')
      expect(ask(options, { depth: depth + 5 })).toContain('400 bad-input: The input is nested too deeply.')
    }
  })

  test('one limit of the option leaves the other limits at their defaults', () => {
    const options = given({ limits: { batch: 2 } })
    expect(ask(options, { calls: 3 })).toContain('at most 2 calls')
    expect(ask(options, { bytes: 8_192 })).toBe('passed')
    expect(ask(options, { bytes: 8_193 })).toContain('more than 8192 bytes')
  })

  test('the guard lets the listed origins and host names in, and no others', () => {
    const options = given({ origins: ['https://page.example'], allowedHosts: ['app.example'] })
    expect(ask(options, { headers: { host: 'app.example', origin: 'https://page.example' } })).toBe('passed')
    expect(ask(options, { headers: { host: 'app.example', origin: 'https://evil.example' } })).toContain(
      '403 forbidden',
    )
    expect(ask(options, { headers: { host: 'other.example' } })).toContain('403 forbidden')
    expect(ask(given(), { headers: { origin: 'https://page.example' } })).toContain('403 forbidden')
  })
})

test('a guard with the option path guards the procedures at that path', () => {
  const evil = { headers: { origin: 'https://evil.example' } }
  expect(ask({ path: 'presence' }, { path: 'presence', ...evil })).toContain('403')
  expect(ask({ router, path: 'presence' }, { path: 'presence', ...evil })).toContain('403')
  expect(ask({}, { path: 'locations', ...evil })).toContain('403')
})
