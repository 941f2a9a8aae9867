import fc from 'fast-check'
import { initTRPC } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { plainCall } from '../../../src/server/http/direct-call.js'
import type { NodeRequest } from '../../../src/server/http/sink.js'

const t = initTRPC.create()
const router = t.router({
  look: t.procedure.subscription(async function* () {}),
  put: t.procedure.mutation(() => 0),
  get: t.procedure.query(() => 0),
})
const callOf = (method: string, url: string, headers: Record<string, string> = {}) => {
  const request = { method, url, headers: { host: 'here', ...headers } } as unknown as NodeRequest
  return plainCall(
    request,
    router,
    () => true,
    () => false,
  )
}

const awkward = fc.constantFrom(
  '/',
  '\\',
  '?',
  '#',
  '%',
  '%2f',
  '%23',
  '.',
  '..',
  ':',
  '@',
  '[',
  ']',
  '&',
  '=',
  '+',
  ' ',
  'é',
  'a',
  '1',
)
const tail = fc.array(awkward, { maxLength: 6 }).map((parts) => parts.join(''))

describe('the fast path for plain calls', () => {
  test('the fast path reads the same procedure path and query from a request as the URL standard', () => {
    fc.assert(
      fc.property(tail, tail, tail, (before, after, host) => {
        const url = `/${before}/look?${after}`
        const call = callOf('GET', url, { host: `here${host}` })
        if (!call) return
        const { pathname, searchParams, hash } = new URL(url, `http://here${host}`)
        expect(pathname.split('/').at(-1)).toBe(call.path)
        expect([...call.searchParams]).toEqual([...searchParams])
        expect(hash).toBe('')
      }),
      { numRuns: 1_000 },
    )
  })

  test('the fast path takes only a GET of a subscription and a POST of a mutation with a JSON body', () => {
    const json = { 'content-type': 'application/json', 'content-length': '2' }
    expect(callOf('GET', '/look')).toMatchObject({ path: 'look', type: 'subscription' })
    expect(callOf('POST', '/a/b/put?c=/d', json)).toMatchObject({ path: 'put', type: 'mutation' })
    const others: [string, string, Record<string, string>?][] = [
      ['GET', '/get'],
      ['GET', '/put'],
      ['HEAD', '/look'],
      ['POST', '/look', json],
      ['POST', '/put', { 'content-type': 'application/json' }],
      ['POST', '/put', { ...json, 'content-length': '0' }],
      ['POST', '/put', { ...json, 'content-type': 'text/plain' }],
      ['GET', '/look', { 'content-type': 'text/plain' }],
      ['GET', '/look', { 'trpc-accept': 'application/jsonl' }],
      ['GET', '/look', { accept: 'text/event-stream, application/jsonl' }],
      ['GET', '/look?batch=1'],
      ['GET', '/look?b%61tch=1'],
      ['GET', '/look?connectionParams=null'],
      ['GET', '/look#there'],
      ['GET', '//look'],
      ['GET', 'http://there/look'],
      ['GET', '/loo%6b'],
      ['GET', '/constructor'],
      ['GET', '/look', { host: 'here:99999' }],
      ['GET', '/look', { host: '1.2.3.256' }],
      ['GET', '/look', { host: 'me@here' }],
    ]
    for (const other of others) expect([other, callOf(...other)]).toEqual([other, null])
  })
})
