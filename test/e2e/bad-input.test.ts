import * as z from 'zod'
import type { Connection } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { dataOf, http, mutation, query, type HttpAnswer } from '../support/network/http.js'
import { cell, newKey } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/* Every bad input is answered with a 4xx and a message. Nothing is stored, no stack trace is sent, and there is never a 5xx. */

const logged: unknown[] = []
/** The log lines about refusals, which are not counted here. test/server/access/refusal-log.test.ts checks them. */
const log = (...said: unknown[]) => void (said[0] === 'a call was refused' || logged.push(said))
const logger = { info() {}, warn: log, error: log }
const server = await serveLocations({ logger })
// Accepts any JSON object, so that only the server's limits on size and depth apply.
const free = await serveLocations({
  location: z.record(z.string(), z.json()),
  profile: z.record(z.string(), z.json()),
  logger,
})
afterAll(() => Promise.all([server.close(), free.close()]))
// The log lines of the servers at startup are not counted.
logged.length = 0

let room = ''
beforeEach(({ task }) => void (room = `bad ${task.id}`))

const key = 'A'.repeat(22)

async function peopleIn(url: string, room: string) {
  const { event } = dataOf<{ event: { connections: Connection[] } }>(await query(url, 'getLocations', { room }))
  return event.connections
}

/** Expects an error that tells the caller what to do, and that nothing was stored or logged. */
async function refuses(answer: HttpAnswer, status: number, code: string, saying: RegExp, url = server.url) {
  expect(answer, answer.text).toMatchObject({ status, code, message: expect.stringMatching(saying) })
  expect(answer.message).toMatch(/^[a-z-]+: \S+ \S+.*\.$/s)
  expect(answer.text).not.toMatch(/stack|node_modules|\bat \w+ \(/)
  expect(await peopleIn(url, room)).toEqual([])
  expect(logged).toEqual([])
}

describe('posts with bad input', () => {
  const inputs: [string, object, RegExp?][] = [
    ['without a location', { location: undefined }, /location: /],
    ['with a location that is text', { location: 'Q3!B7' }, /location: /],
    ['with a location that is a list', { location: [] }],
    ['with a location that lacks a field', { location: { sheet: 'Q3', row: 1 } }, /location\.col: /],
    ['with a field of the wrong type', { location: { sheet: 'Q3', row: '1', col: 1 } }, /location\.row: /],
    ['with an unknown field in its location', { location: { ...cell(1), z: 1 } }, /location: .*"z"/],
    ['with NaN written as JSON writes it', { location: { ...cell(1), row: NaN } }, /location\.row: /],
    ['with infinity written as JSON writes it', { location: { ...cell(1), row: -Infinity } }],
    ['with a row above the limit', { location: cell(1_048_576) }],
    ['with a fractional row', { location: cell(0.5) }],
    ['with a lone high surrogate', { location: { ...cell(1), sheet: '\ud83d' } }, /well-formed|surrogate/i],
    ['with a lone low surrogate', { location: { ...cell(1), sheet: '\udc00x' } }],
    ['with an empty sheet name', { location: { ...cell(1), sheet: '' } }],
    ['without a room', { room: undefined }, /room: /],
    ['with an empty room id', { room: '' }, /room: /],
    ['in a room with 129 code points', { room: 'x'.repeat(129) }, /room: /],
    ['in a room with 129 emoji', { room: '😀'.repeat(129) }, /room: /],
    ['in a room with a line break', { room: 'a\nb' }, /room: /],
    ['in a room with a NUL', { room: 'a\0b' }, /room: /],
    ['in a room with a right-to-left override', { room: 'a\u202eb' }, /room: /],
    ['in a room with a right-to-left mark', { room: 'a\u200fb' }, /room: /],
    ['in a room with a zero-width space', { room: 'a\u200bb' }, /room: /],
    ['in a room with a soft hyphen', { room: 'a\u00adb' }, /room: /],
    ['in a room of spaces', { room: ' \u00a0' }, /room: /],
    ['in a room with a lone surrogate', { room: '\ud83d' }, /room: /],
    ['in a room that is a number', { room: 7 }, /room: /],
    ['in a room that is a list', { room: ['x'] }, /room: /],
    ['with a key of 21 characters', { connectionKey: key.slice(1) }, /connectionKey: a key must be/],
    ['with a key of 23 characters', { connectionKey: `${key}A` }, /connectionKey: a key must be/],
    ['with a key that is not base64url', { connectionKey: `${key.slice(1)}/` }],
    ['with a key and a line break', { connectionKey: `${key}\n` }],
    ['with a key that is a list', { connectionKey: [key] }],
    ['with a memberKey of 21 characters', { memberKey: key.slice(1) }, /memberKey: /],
    ['with a seq below 0', { seq: -1 }, /seq: /],
    ['with a fractional seq', { seq: 1.5 }, /seq: /],
    ['with a seq above Number.MAX_SAFE_INTEGER', { seq: 2 ** 53 }, /seq: /],
    ['with a seq as text', { seq: '1' }, /seq: /],
    ['with a seq of null', { seq: null }, /seq: /],
    ['with an unknown activity', { activity: 'asleep' }, /activity: /],
    ['with a lease below 5 seconds', { leaseMs: 4_999 }, /leaseMs/],
    ['with a lease above 5 minutes', { leaseMs: 300_001 }, /leaseMs/],
    ['with a profile without a name', { profile: {} }, /profile\.name: /],
    [
      'with an avatar that is a script',
      { profile: { name: 'Ada', avatar: 'javascript:alert(1)' } },
      /profile\.avatar: /,
    ],
    ['with an avatar over http', { profile: { name: 'Ada', avatar: 'http://x.example/a.png' } }],
    ['with a name that is too long', { profile: { name: 'x'.repeat(65) } }, /profile\.name: /],
    ['with a memberId', { memberId: 'ada' }, /memberId/],
    ['with a connectionId', { connectionId: 'x' }, /connectionId/],
    ['with an unknown field', { extra: 1 }, /extra/],
  ]
  test.for(inputs)('a post is rejected %s', async ([, wrong, saying = /^bad-input: /]) => {
    const answer = await mutation(server.url, 'postLocation', { room, location: cell(1), ...wrong })
    expect(answer.message).toMatch(/^bad-input: /)
    await refuses(answer, 400, 'BAD_REQUEST', saying)
  })

  test('a post is rejected with a field that is named like a prototype', async () => {
    const bodies = [
      `{"room":${JSON.stringify(room)},"location":null,"__proto__":{"admin":true}}`,
      `{"room":${JSON.stringify(room)},"location":{"sheet":"Q3","row":1,"col":1,"__proto__":{"x":1}}}`,
    ]
    for (const body of bodies) {
      const { status } = await mutation(server.url, 'postLocation', body)
      // The schema may accept a field with a prototype-like name and ignore it, but must not store it.
      if (status === 200) expect(JSON.stringify(await peopleIn(server.url, room))).not.toContain('__proto__')
      else expect(status).toBe(400)
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test.for(['', '{', '[', 'null', '7', '"room"', '[]', 'NaN', '{"room":NaN}', "{'room':1}", '\ufeff{}', '\0'])(
    'a post is rejected when its body is %j',
    async (body) => {
      const answer = await mutation(server.url, 'postLocation', body)
      expect(answer, answer.text).toMatchObject({ status: 400, code: expect.stringMatching(/BAD_REQUEST|PARSE_ERROR/) })
      expect(answer.message).toMatch(/\S+ \S+/)
      expect(answer.text).not.toContain('stack')
      expect(logged).toEqual([])
    },
  )

  test('a post is rejected when its content type is not JSON', async () => {
    const body = JSON.stringify({ room, location: null })
    const url = `${server.url}/postLocation`
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
    ])
      await refuses(
        await http(url, { method: 'POST', headers: { 'content-type': type }, body }),
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        /content-type: application\/json/,
      )
    await refuses(await http(url, { method: 'POST', body }), 415, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/)
    const fine = await mutation(server.url, 'postLocation', body, { 'content-type': 'application/json; charset=utf-8' })
    expect(fine.status).toBe(200)
  })

  test('a post is rejected when it comes with another HTTP method', async () => {
    const input = encodeURIComponent(JSON.stringify({ room, location: cell(1) }))
    const headers = { 'content-type': 'application/json' }
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const { status, text } = await http(`${server.url}/postLocation?input=${input}`, { method, headers })
      expect([method, status]).toEqual([method, 405])
      expect(text).not.toContain('stack')
    }
    const asked = await mutation(server.url, 'getLocations', { room })
    expect(asked.status).toBe(405)
    const subscribed = await mutation(server.url, 'onLocation', { room })
    expect(subscribed.text).toMatch(/serialized-error.*METHOD_NOT_SUPPORTED/s)
    expect(await peopleIn(server.url, room)).toEqual([])
    expect(logged).toEqual([])
  })
})

test('an unknown HTTP method is rejected with a 4xx', async () => {
  const { status } = await http(`${server.url}/getLocations`, { method: 'TRACE' })
  logged.length = 0
  expect(status).toBe(405)
})

describe('paths that are similar to a procedure', () => {
  test.for([
    'postLocations',
    'postLocatio',
    'postLocation.',
    '.postLocation',
    'postLocation/x',
    'POSTLOCATION',
    '__proto__',
    'constructor',
    'toString',
    'postLocation%00',
    '..%2FpostLocation',
    'locations.postLocation',
    '',
    '%',
    '%ff',
    ',',
    ',,',
  ])('a path that is similar to a procedure is answered with a 4xx: %j', async (path) => {
    // prettier-ignore
    for (const answer of [await mutation(server.url, path, { room, location: null }), await query(server.url, path, { room })]) {
      expect([400, 404, 405], answer.text).toContain(answer.status)
      expect(answer.text).not.toMatch(/stack|node_modules/)
    }
    expect(await peopleIn(server.url, room)).toEqual([])
    expect(logged).toEqual([])
  })
})

describe('other calls with bad input', () => {
  const calls: [string, 'get' | 'post', string, object][] = [
    ['a leave without a key', 'post', 'leaveRoom', {}],
    ['a leave with a short key', 'post', 'leaveRoom', { connectionKey: 'x' }],
    ['a leave with a grace below 0', 'post', 'leaveRoom', { connectionKey: key, graceMs: -1 }],
    ['a leave with a grace as text', 'post', 'leaveRoom', { connectionKey: key, graceMs: '3000' }],
    ['a leave with a seq below 0', 'post', 'leaveRoom', { connectionKey: key, seq: -1 }],
    ['a leave that names a member', 'post', 'leaveRoom', { connectionKey: key, memberId: 'ada' }],
    ['a getLocations query with a connectionKey', 'get', 'getLocations', { connectionKey: key }],
    ['a getLocations query with a lastEventId that is not a string', 'get', 'getLocations', { lastEventId: 7 }],
    ['a countMembers query whose rooms are not a list', 'get', 'countMembers', { rooms: 'x', room: undefined }],
    ['a countMembers query with an empty room id', 'get', 'countMembers', { rooms: [''], room: undefined }],
    [
      'a countMembers query with 101 rooms',
      'get',
      'countMembers',
      { rooms: Array.from({ length: 101 }, String), room: undefined },
    ],
  ]
  test.for(calls)('bad input of a call other than a post is rejected: %s', async ([, kind, procedure, input]) => {
    const call = kind === 'get' ? query : mutation
    await refuses(await call(server.url, procedure, { room, ...input }), 400, 'BAD_REQUEST', /^bad-input: /)
  })

  test.for(['{', 'NaN', '%', 'undefined'])('a query is rejected when its input is %j', async (input) => {
    const answer = await query(server.url, 'getLocations', input)
    expect(answer.status).toBe(400)
    expect(answer.text).not.toContain('stack')
  })

  test.for([
    ['missing', undefined],
    ['without a room', {}],
    ['with a short key', { room: 'x', connectionKey: 'short' }],
    ['with an unknown field', { room: 'x', beatMs: 1 }],
    ['with a lastEventId that is not text', { room: 'x', lastEventId: {} }],
  ])('a stream whose input is %s gets an error inside the stream', async ([, input]) => {
    const { status, text } = await query(server.url, 'onLocation', input ?? '')
    // EventSource never retries a status other than 200, so tRPC sends the error inside the stream.
    expect([200, 400]).toContain(status)
    expect(text).toMatch(/BAD_REQUEST|PARSE_ERROR/)
    expect(text).not.toContain('stack')
    expect(logged).toEqual([])
  })
})

describe('the default limits of a server', () => {
  const post = (input: object) => mutation(free.url, 'postLocation', { room, ...input })
  /** Returns an object whose canonical JSON has the given number of bytes. */
  const sized = (bytes: number, letter = 'x') =>
    ({ a: letter.repeat((bytes - '{"a":""}'.length) / Buffer.byteLength(letter)) }) // prettier-ignore
  /** Returns `levels` nested objects. */
  const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) })

  test('a location has at most 2,048 bytes', async () => {
    await refuses(await post({ location: sized(2_049) }), 413, 'PAYLOAD_TOO_LARGE', /2049 bytes.* 2048/, free.url)
    await refuses(await post({ location: sized(2_050, 'é') }), 413, 'PAYLOAD_TOO_LARGE', /2050 bytes/, free.url)
    expect(await post({ location: sized(2_047) })).toMatchObject({ status: 200 })
    expect(await post({ location: sized(2_048) })).toMatchObject({ status: 200 })
    expect(await post({ location: sized(2_048, 'é') })).toMatchObject({ status: 200 })
  })

  test('a profile has at most 1,024 bytes', async () => {
    const location = null
    await refuses(
      await post({ location, profile: sized(1_025) }),
      413,
      'PAYLOAD_TOO_LARGE',
      /1025 bytes.* 1024/,
      free.url,
    )
    expect(await post({ location, profile: sized(1_023) })).toMatchObject({ status: 200 })
    expect(await post({ location, profile: sized(1_024) })).toMatchObject({ status: 200 })
  })

  test('a location or a profile has at most 8 levels', async () => {
    for (const levels of [9, 10, 20]) {
      const answer = await post({ location: nested(levels) })
      expect([levels, answer.status]).toEqual([levels, expect.toSatisfy((status) => status === 400 || status === 413)])
      expect(answer.message).toMatch(/nested/)
      expect((await post({ location: null, profile: nested(levels) })).status).toBe(answer.status)
    }
    expect(await peopleIn(free.url, room)).toEqual([])
    expect(logged).toEqual([])
    for (const levels of [7, 8]) expect(await post({ location: nested(levels) })).toMatchObject({ status: 200 })
    expect(await post({ location: null, profile: nested(8) })).toMatchObject({ status: 200 })
  })

  test('deeply nested JSON is answered with a 4xx wherever it is in a request', async () => {
    const pit = '['.repeat(4_000)
    const closed = `${'['.repeat(3_500)}${']'.repeat(3_500)}`
    for (const body of [pit, closed, `{"room":"x","location":${closed}}`, `{"room":${closed},"location":null}`]) {
      const { status, text } = await mutation(free.url, 'postLocation', body)
      expect([400, 413]).toContain(status)
      expect(text).not.toContain('stack')
    }
    expect([400, 413, 414, 431]).toContain((await query(free.url, 'getLocations', `{"room":${closed}}`)).status)
    expect(logged).toEqual([])
  })

  test('a body has at most 8,192 bytes', async () => {
    const body = JSON.stringify({ room, location: null })
    const padded = (bytes: number) => body + ' '.repeat(bytes - body.length)
    for (const bytes of [8_193, 100_000]) {
      const answer = await mutation(server.url, 'postLocation', padded(bytes))
      expect(answer).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' })
      expect(answer.text).not.toContain('stack')
    }
    expect(await peopleIn(server.url, room)).toEqual([])
    for (const bytes of [8_191, 8_192]) expect(await mutation(server.url, 'postLocation', padded(bytes))).toMatchObject({ status: 200 }) // prettier-ignore
    expect(logged).toEqual([])
  })

  test('a body that is too large is rejected with a message', async () => {
    const answer = await mutation(
      server.url,
      'postLocation',
      JSON.stringify({ room, location: null }) + ' '.repeat(9_000),
    )
    await refuses(answer, 413, 'PAYLOAD_TOO_LARGE', /^too-large: .*8192/)
  })

  test('the size limit applies to a chunked body without content-length', async () => {
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const body = JSON.stringify({ room, location: null }) + ' '.repeat(20_000)
    expect(await http(`${server.url}/postLocation`, { method: 'POST', headers, body })).toMatchObject({ status: 413 })
  })

  test('a batch has at most 8 calls', async () => {
    const batch = (calls: number) => {
      const paths = Array.from({ length: calls }, () => 'postLocation').join()
      const inputs = Array.from({ length: calls }, (_, i) => [i, { room, connectionKey: newKey(), location: null }])
      return mutation(server.url, `${paths}?batch=1`, Object.fromEntries(inputs) as object)
    }
    for (const calls of [9, 50]) {
      const answer = await batch(calls)
      expect(answer, answer.text).toMatchObject({ status: 400 })
      expect(answer.text).not.toContain('stack')
    }
    expect(await peopleIn(server.url, room)).toEqual([])
    for (const calls of [7, 8]) expect((await batch(calls)).status).toBe(200)
    expect(await peopleIn(server.url, room)).toHaveLength(15)
    expect(logged).toEqual([])
  })

  test('a stream in a batch is rejected', async () => {
    const calls = ['onLocation,onLocation', 'onLocation,getLocations']
    const input = encodeURIComponent(JSON.stringify({ 0: { room }, 1: { room } }))
    for (const paths of calls) {
      const { status, text } = await http(`${server.url}/${paths}?batch=1&input=${input}`)
      expect([paths, status]).toEqual([paths, 400])
      expect(text).not.toContain('stack')
    }
    expect(logged).toEqual([])
  })

  test('a bad call in a batch does not affect the other calls', async () => {
    const { status, text } = await mutation(server.url, 'postLocation,postLocation?batch=1', {
      0: { room, connectionKey: newKey(), location: cell(1) },
      1: { room, connectionKey: newKey(), location: 'nowhere' },
    })
    expect(status).toBe(207)
    expect(JSON.parse(text)).toMatchObject([
      { result: { data: { outcome: 'applied' } } },
      { error: { data: { code: 'BAD_REQUEST' } } },
    ])
    expect(await peopleIn(server.url, room)).toHaveLength(1)
  })

  test('a room id has 1 to 128 code points', async () => {
    for (const name of ['x', '😀', 'x'.repeat(128), '😀'.repeat(128)])
      expect((await query(server.url, 'getLocations', { room: name })).status).toBe(200)
  })

  test('a room accepts connections up to its limit, and another one after a leave', async () => {
    await using small = await serveLocations({ limits: { roomConnections: 3 } })
    const keys = [newKey(), newKey(), newKey(), newKey()]
    const post = (connectionKey: string) => mutation(small.url, 'postLocation', { room, location: null, connectionKey })
    for (const connectionKey of keys.slice(1)) expect((await post(connectionKey)).status).toBe(200)
    const refused = await post(keys[0]!)
    expect(refused).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' })
    expect(refused.message).toMatch(/^room-full: .*try again later/)
    expect(await peopleIn(small.url, room)).toHaveLength(3)
    expect((await post(keys[1]!)).status).toBe(200)
    await mutation(small.url, 'leaveRoom', { room, connectionKey: keys[1] })
    expect((await post(keys[0]!)).status).toBe(200)
  })

  test('a process accepts streams up to its limit', async () => {
    await using small = await serveLocations({ limits: { streams: 2 } })
    const open = async () => {
      const closing = new AbortController()
      const input = encodeURIComponent(JSON.stringify({ room }))
      const response = await fetch(`${small.url}/onLocation?input=${input}`, { signal: closing.signal })
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (!/"hello"|serialized-error/.test(text)) text += (await reader.read()).value ?? ''
      return { text, close: () => closing.abort() }
    }
    const [first, second, third] = [await open(), await open(), await open()]
    expect([first.text, second.text].every((text) => text.includes('"hello"'))).toBe(true)
    expect(third.text).toMatch(/serialized-error.*SERVICE_UNAVAILABLE/s)
    first.close()
    await until('the server accepts one more stream', async () => {
      const next = await open()
      next.close()
      return next.text.includes('"hello"')
    })
    second.close()
  })

  test('a lease lasts 5 seconds to 5 minutes', async () => {
    const post = (leaseMs: number) =>
      mutation(server.url, 'postLocation', { room, location: null, connectionKey: key, leaseMs })
    for (const leaseMs of [5_000, 5_001, 299_999, 300_000]) expect((await post(leaseMs)).status).toBe(200)
  })

  test('a member may post 60 times in a burst, and then 30 times a second', async () => {
    const post = { room, connectionKey: newKey(), memberKey: newKey(), seq: 1, location: null }
    const answers = await Promise.all(Array.from({ length: 100 }, () => mutation(server.url, 'postLocation', post)))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(60)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 429, code: 'TOO_MANY_REQUESTS' })
      expect(answer.message).toMatch(/^rate-limited: .* in \d+ ms\.$/)
    }
    const other = await mutation(server.url, 'postLocation', { ...post, connectionKey: newKey(), memberKey: newKey() })
    expect(other.status).toBe(200)
  })
})

test('a server is healthy after all bad requests of these tests', async () => {
  expect(await mutation(server.url, 'postLocation', { room, location: cell(1) })).toMatchObject({ status: 200 })
  expect(await http(server.url.replace('/trpc', '/readyz'))).toMatchObject({ status: 200, text: 'ok\n' })
  expect(logged).toEqual([])
})
