import fc from 'fast-check'

/* Hostile inputs: slightly wrong, entirely wrong, or wrong in a way that has broken servers before. */

const hostileKeys = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  'toJSON',
  '',
  '0',
  'input',
]
const hostileTexts = ['__proto__', '\u0000', '\r\n\r\n', '\ud800', '\u202e', '\ufeff', 'e\u0301', '%00', '../..', 'x'.repeat(300), '💥'.repeat(64), '\n\nevent: return\ndata: \n\n'] // prettier-ignore
const hostileNumbers = [NaN, Infinity, -Infinity, -0, 2 ** 53, -1, 1e308, 5e-324, 0.1, 1_048_576]

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom(...hostileTexts))
const key = fc.oneof(fc.constantFrom(...hostileKeys), fc.string({ unit: 'binary', maxLength: 8 }))
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(...hostileNumbers))

/** Any JSON value, and a few values that are not JSON. */
export const hostileValue: fc.Arbitrary<unknown> = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<unknown>(null, true, false, undefined),
    number,
    text,
    fc.array(tie('any'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('any')), { maxLength: 5 }).map(ownProperties),
  ),
})).any

/** Defines `__proto__` as an own property, as JSON.parse does. */
function ownProperties(entries: [string, unknown][]): object {
  const object = {}
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  return object
}

const roomId = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c') }, { weight: 1, arbitrary: text })
const secret = fc.oneof(fc.constantFrom('k'.repeat(22), 'A'.repeat(22), '-_'.repeat(11)), text)
const cell = fc.record({ sheet: fc.oneof(fc.constant('Q3'), text), row: fc.oneof(fc.nat(9), number), col: fc.nat(9) })
const profile = fc.record({ name: text, color: text, avatar: text }, { requiredKeys: [] })

/** Inputs of each procedure. A property may be missing or have any value. */
const inputs: Record<string, fc.Arbitrary<Record<string, unknown>>> = {
  postLocation: fc.record(
    { room: roomId, location: fc.option(cell), connectionKey: secret, seq: number, profile, activity: fc.constantFrom('active', 'idle', 'x'), leaseMs: number, memberKey: secret, lastEventId: text }, // prettier-ignore
    { requiredKeys: ['room', 'location'] },
  ),
  onLocation: fc.record({ room: roomId, connectionKey: secret, lastEventId: text }, { requiredKeys: ['room'] }),
  getLocations: fc.record({ room: roomId, lastEventId: text }, { requiredKeys: ['room'] }),
  countMembers: fc.record({ rooms: fc.array(roomId, { maxLength: 110 }) }),
  leaveRoom: fc.record({ room: roomId, connectionKey: secret, seq: number, graceMs: number }, { requiredKeys: ['room', 'connectionKey'] }), // prettier-ignore
}
export const procedureNames = Object.keys(inputs)

/** A procedure and an input, which may be valid. */
export const hostileCall: fc.Arbitrary<{ procedure: string; input: unknown }> = fc
  .constantFrom(...procedureNames)
  .chain((procedure) => {
    const right = inputs[procedure]!
    const spoiled = fc.tuple(right, key, hostileValue).map(([input, name, value]) => ({ ...input, [name]: value }))
    const input = fc.oneof({ weight: 4, arbitrary: right }, { weight: 2, arbitrary: spoiled }, { weight: 1, arbitrary: hostileValue }) // prettier-ignore
    return fc.record({ procedure: fc.constant(procedure), input })
  })

const path = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...procedureNames) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '', '.', '..', '%', '%00', 'a%2Fb', 'postLocation.x', 'locations.postLocation', '%70ostLocation') }, // prettier-ignore
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map(encodeURIComponent) },
  {
    weight: 2,
    arbitrary: fc.array(fc.constantFrom(...procedureNames), { maxLength: 12 }).map((names) => names.join()),
  },
)
const method = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('GET', 'POST') }, fc.constantFrom('HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'FOO', 'get')) // prettier-ignore
const contentType = fc.oneof({ weight: 4, arbitrary: fc.constant('application/json') }, fc.constantFrom(undefined, 'text/plain', 'application/json; charset=utf-16', 'multipart/form-data; boundary=b', 'application/octet-stream', 'application/jsonl', 'application/json, text/plain', 'image/svg+xml')) // prettier-ignore
const moreHeaders = fc.subarray(
  ['trpc-accept: application/jsonl', 'accept: application/jsonl', 'accept: text/event-stream', 'content-encoding: gzip', 'content-encoding: x', 'last-event-id: __proto__.1', 'last-event-id: \u00ff\u00fe', 'cookie: a=b; __proto__=1', 'x-forwarded-for: 1.2.3.4', 'expect: 100-continue', 'expect: x', 'connection: upgrade\r\nupgrade: websocket', 'transfer-encoding: chunked', 'transfer-encoding: gzip', 'trpc-batch-mode: stream', 'origin: https://evil.example', 'host: evil.example', ': x', 'x', 'a: b\u0000c'], // prettier-ignore
  { maxLength: 3 },
)

/** A body or a query: JSON, almost JSON, or bytes. */
const written = fc.oneof(
  { weight: 5, arbitrary: hostileCall.map(({ input }) => JSON.stringify(input) ?? '') },
  { weight: 2, arbitrary: fc.array(hostileCall, { maxLength: 9 }).map((calls) => JSON.stringify(Object.fromEntries(calls.map(({ input }, i) => [i, input])))) }, // prettier-ignore
  { weight: 1, arbitrary: hostileValue.map((value) => (JSON.stringify(value) ?? '').slice(0, -1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('[', '{"a":', '{"room":"a","location":'), fc.nat(4_000)).map(([open, times]) => open.repeat(Math.min(times, Math.floor(8_000 / open.length)))) }, // prettier-ignore
  { weight: 1, arbitrary: fc.constantFrom('\ufeff{}', '{"room":"\ud800","location":null}', '{"room":"a","location":null,"location":1}', '1e999', '"x"', 'null', '[]', '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n', '{"__proto__":{"polluted":1},"room":"a","location":null}', '{"constructor":{"prototype":{"polluted":1}}}') }, // prettier-ignore
  { weight: 1, arbitrary: fc.nat(20_000).map((bytes) => `"${'x'.repeat(bytes)}"`) },
)

/** A request as bytes. `isWhole`: the request is complete, so the server must answer it. */
export type HostileRequest = { bytes: Buffer; isWhole: boolean }

export const hostileRequest: fc.Arbitrary<HostileRequest> = fc
  .record({
    method,
    path,
    contentType,
    moreHeaders,
    query: fc.oneof(written.map(encodeURIComponent_), fc.constantFrom('%', '%ff%fe', '%00', '{}', '')),
    flags: fc.subarray(['batch=1', 'batch=true', 'connectionParams=1', 'connectionParams={"a":"b"}', 'lastEventId=x', 'input=1', 'x=%']), // prettier-ignore
    body: written,
    encoding: fc.oneof(
      { weight: 8, arbitrary: fc.constant<BufferEncoding>('utf8') },
      fc.constantFrom<BufferEncoding>('utf16le', 'latin1'),
    ),
    lengthIs: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.integer({ min: -5, max: 50 })),
    cut: fc.oneof({ weight: 12, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
    version: fc.oneof({ weight: 20, arbitrary: fc.constant('1.1') }, fc.constantFrom('1.0', '0.9', '2.0', 'x')),
  })
  .map(({ method, path, contentType, moreHeaders, query, flags, body, encoding, lengthIs, cut, version }) => {
    const hasBody = method !== 'GET' && method !== 'HEAD'
    const content = hasBody ? Buffer.from(body, encoding) : Buffer.alloc(0)
    const search = [...flags, ...(hasBody ? [] : [`input=${query}`])].join('&')
    const head = [
      `${method} /trpc/${path}?${search} HTTP/${version}`,
      'host: localhost',
      ...(contentType === undefined ? [] : [`content-type: ${contentType}`]),
      ...(hasBody ? [`content-length: ${Math.max(0, content.length + lengthIs)}`] : []),
      ...moreHeaders,
    ]
    const whole = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), content])
    const bytes = whole.subarray(0, Math.ceil(whole.length * cut))
    return {
      bytes,
      // Node closes the socket of a CONNECT request without an answer.
      isWhole:
        method !== 'CONNECT' &&
        cut === 1 &&
        lengthIs <= 0 &&
        !moreHeaders.some((header) => /transfer|expect|upgrade/.test(header)),
    }
  })

/** Like `encodeURIComponent`, but replaces lone surrogates instead of throwing. */
function encodeURIComponent_(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString())
}
