import { serveLocations } from 'hereabouts/testing'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { rawSocket } from '../support/clients/raw-socket.js'
import { until } from '../support/until.js'

/* Random messages over a WebSocket: the server reports no internal error, and still serves the next client. */

const server = await serveLocations({ webSocket: true })
afterAll(() => server.close())

const perSocket = 200
const sockets = Number(process.env['FUZZ_SOCKETS'] ?? 20)

const id = fc.oneof(fc.integer(), fc.string(), fc.double(), fc.constant(null), fc.jsonValue())
const path = fc.constantFrom(
  'onLocation',
  'postLocation',
  'getLocations',
  'countMembers',
  'leaveRoom',
  '__proto__',
  'nothing',
)
const input = fc.oneof(
  fc.jsonValue(),
  fc.record({ room: fc.constantFrom('a', 'b', ''), location: fc.constantFrom(null, 5) }),
)
const message = fc.record(
  {
    id,
    method: fc.constantFrom('query', 'mutation', 'subscription', 'subscription.stop', 'constructor'),
    jsonrpc: fc.constantFrom('2.0', '1'),
    params: fc.oneof(fc.jsonValue(), fc.record({ path, input, lastEventId: fc.string() }, { requiredKeys: ['path'] })),
  },
  { requiredKeys: [] },
)
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('PING', 'PONG', '[[[[', '{}', '[]', 'null', '['.repeat(5_000)),
  message.map((each) => JSON.stringify(each)),
  fc.array(message, { maxLength: 12 }).map((all) => JSON.stringify(all)),
)

test(`${sockets * perSocket} random WebSocket messages cause no internal error`, { timeout: 300_000 }, async () => {
  const samples = fc.sample(text, { numRuns: sockets * perSocket, seed: 14 })
  for (let at = 0; at < sockets; at++) {
    using socket = await rawSocket(server.url).opened()
    for (const each of samples.slice(at * perSocket, (at + 1) * perSocket)) socket.ws.send(each)
    socket.ws.send('PING')
    await until('the ping is answered, or the socket is closed', () => socket.texts.includes('PONG') || socket.closed)
    const failures = socket.messages.filter(({ error }) =>
      JSON.stringify(error ?? '').includes('INTERNAL_SERVER_ERROR'),
    )
    expect(failures).toEqual([])
  }
  using next = await rawSocket(server.url).opened()
  next.send({ id: 1, method: 'query', params: { path: 'countMembers', input: { rooms: ['a'] } } })
  await next.find('a reply', ({ result }) => result !== undefined)
  await until('all streams are closed', () => server.hub.health() === 'ready')
})
