import { ServerResponse, type IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { contextOf, setRetryAfter } from '../../../src/server/standalone/request-context.js'

const request = (headers: object = {}) =>
  ({ headers, socket: { remoteAddress: '8.8.8.8' } }) as unknown as IncomingMessage

describe('the context of a request', () => {
  test('the context has the address of the peer and all headers, repeated ones included', () => {
    const ctx = contextOf(request({ cookie: 'a=b', 'x-list': ['1', '2'], absent: undefined }))
    expect([ctx.ip, ctx.headers.get('cookie'), ctx.headers.get('x-list'), ctx.headers.has('absent')]).toEqual([
      '8.8.8.8',
      'a=b',
      '1, 2',
      false,
    ])
    expect(ctx.headers).toBe(ctx.headers)
  })

  test('the context of a socket that has closed has an empty address', () => {
    expect(contextOf({ headers: {}, socket: {} } as IncomingMessage).ip).toBe('')
  })
})

describe('the header retry-after', () => {
  test.each([
    [[1], '1'],
    [[1_000], '1'],
    [[1_001], '2'],
    [[5_000, 2_000], '5'],
    [[2_000, 5_000], '5'],
  ])('the header is the longest of the waits %j, in whole seconds', (waits, seconds) => {
    const response = new ServerResponse({ method: 'GET' } as IncomingMessage)
    const ctx = contextOf(request(), response)
    for (const ms of waits) setRetryAfter(ctx, ms)
    expect(String(response.getHeader('retry-after'))).toBe(seconds)
  })

  test('the header is not set once the headers are sent, and not without a response', () => {
    const response = new ServerResponse({ method: 'GET' } as IncomingMessage)
    Object.defineProperty(response, 'headersSent', { value: true })
    setRetryAfter(contextOf(request(), response), 5_000)
    expect(response.hasHeader('retry-after')).toBe(false)
    for (const ctx of [undefined, {}, contextOf(request())]) expect(() => setRetryAfter(ctx, 5_000)).not.toThrow()
  })
})
