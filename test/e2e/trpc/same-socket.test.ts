import { describe, expect, test } from 'vitest'
import { hasSeparators } from '../../support/servers/twins.js'
import { tagged } from '../../support/tagged.js'
import { sameTalk } from '../../support/servers/socket-twins.js'

/* Compares conversations under tRPC's `applyWSSHandler` and under ours: every message and every reported error is the same. */

const key = 'k'.repeat(22)
const posted = { room: 'q3', connectionKey: key, seq: 1, location: { sheet: 'Q3', row: 1, col: 2 } }
const subscribe = (id: unknown, input: unknown = { room: 'q3' }, path = 'locations.onLocation', more: object = {}) => ({
  id,
  method: 'subscription',
  params: { path, input, ...more },
})
const call = (id: unknown, method: string, path: string, input?: unknown) => ({ id, method, params: { path, input } })
const stop = (id: unknown) => ({ id, method: 'subscription.stop' })

/** Each case sends its messages together, and then waits for the given number of answers. */
const cases: [name: string, answers: number, messages: unknown[], options?: Parameters<typeof sameTalk>[1]][] = [
  ['a post', 1, [call(1, 'mutation', 'locations.postLocation', posted)]],
  ['a post whose id is text', 1, [call('a', 'mutation', 'locations.postLocation', posted)]],
  ['a post with a jsonrpc field', 1, [{ ...call(1, 'mutation', 'locations.postLocation', posted), jsonrpc: '2.0' }]],
  ['a post two routers down', 1, [call(1, 'mutation', 'deep.presence.postLocation', posted)]],
  [
    'a post, without a middleware of the app,',
    1,
    [call(1, 'mutation', 'locations.postLocation', posted)],
    { isBare: true },
  ],
  ['a query', 1, [call(1, 'query', 'locations.getLocations', { room: 'q3' })]],
  ['a countMembers query', 1, [call(1, 'query', 'locations.countMembers', { rooms: ['q3'] })]],
  ['a leave', 1, [call(1, 'mutation', 'locations.leaveRoom', { room: 'q3', connectionKey: key })]],
  [
    'a batch',
    3,
    [
      [
        call(1, 'query', 'version'),
        call(2, 'query', 'locations.countMembers', { rooms: [] }),
        call(3, 'mutation', 'echo', 1),
      ],
    ],
  ],
  ['a bad input', 1, [call(1, 'mutation', 'locations.postLocation', { room: '' })]],
  ['a bad input of a subscription', 1, [subscribe(1, { room: '' })]],
  ['a subscription to a room that authorize refuses', 1, [subscribe(1, { room: 'closed' })]],
  ['a subscription of a caller that identify refuses', 1, [subscribe(1)], { headers: {} }],
  [
    'a query for which identify throws a bug',
    1,
    [call(1, 'query', 'locations.getLocations', { room: 'q3' })],
    { headers: { 'x-user': 'bug' } },
  ],
  ['an unknown path', 2, [call(1, 'query', 'nothing'), subscribe(2, {}, 'locations.nothing')]],
  [
    'calls with the wrong method',
    2,
    [call(1, 'query', 'locations.postLocation', posted), call(2, 'mutation', 'locations.onLocation', {})],
  ],
  ['broken JSON', 1, ['{']],
  ['an empty object', 1, [{}]],
  ['an empty array', 0, [[]]],
  ['an array with a message that is not valid', 1, [[call(1, 'query', 'version'), { id: 2 }]]],
  ['a request without an id', 1, [call(null, 'query', 'version')]],
  ['a stop of nothing', 1, [stop(7), call(1, 'query', 'version')]],
  ['a ping', 1, ['PING']],
  ['a pong', 1, ['PONG', call(1, 'query', 'version')]],
  [
    "calls of the app's own procedures",
    4,
    [
      call(1, 'query', 'version'),
      call(2, 'query', 'broken'),
      call(3, 'mutation', 'echo', { a: 1 }),
      call(4, 'query', 'late.late.countMembers', {}),
    ],
  ],
  [
    "the app's own subscriptions",
    12,
    [subscribe(1, undefined, 'ticks'), subscribe(2, undefined, 'countdown'), subscribe(3, undefined, 'failing')],
  ],
  ['a lazy router', 1, [call(1, 'mutation', 'late.postLocation', posted)]],
  [
    'a call whose error the app formats',
    2,
    [call(1, 'mutation', 'locations.postLocation', {}), subscribe(2, {})],
    { trpc: { errorFormatter: ({ shape }: { shape: object }) => ({ ...shape, more: 1 }) } },
  ],
  [
    'a post that a transformer encodes',
    1,
    [call(1, 'mutation', 'locations.postLocation', tagged.serialize(posted))],
    { trpc: { transformer: tagged } },
  ],
  [
    'a subscription that a transformer encodes',
    3,
    [subscribe(1, tagged.serialize({ room: 'q3' }))],
    { trpc: { transformer: tagged } },
  ],
  [
    'connection parameters',
    1,
    [{ method: 'connectionParams', data: { token: 'a' } }, call(1, 'query', 'version')],
    { query: '?connectionParams=1' },
  ],
  ['malformed connection parameters', 2, ['[]', call(1, 'query', 'version')], { query: '?connectionParams=1' }],
  [
    'connection parameters of a wrong type',
    2,
    [{ data: { a: 1 } }, call(1, 'query', 'locations.countMembers', { rooms: [] })],
    { query: '?connectionParams=1' },
  ],
]

/** tRPC limits the batches of a socket since 11.23. */
if (hasSeparators)
  cases.push([
    'a batch that is too large',
    3,
    [[1, 2, 3].map((id) => call(id, 'query', 'version'))],
    { middleware: { maxBatchSize: 2 } },
  ])

describe('messages over a WebSocket', () => {
  test.for(cases)('%s gets the answers of stock tRPC over a WebSocket', async ([, answers, messages, options]) => {
    const seen = await sameTalk(async (socket) => {
      socket.send(...messages)
      await socket.has(answers)
    }, options)
    expect(Object.values(seen.byRequest).flat().length).toBeGreaterThanOrEqual(answers)
  })

  test('a stream over a WebSocket has the same frames as with stock tRPC, and is stopped by its id', async () => {
    const { byRequest } = await sameTalk(async (socket, twin) => {
      socket.send(subscribe(1, { room: 'q3', connectionKey: key }))
      await socket.has(3)
      await twin.post('q3', 1, 4)
      await socket.has(4)
      await twin.post('q3', 2, 5)
      await socket.has(5)
      socket.send(stop(1))
      await socket.has(6)
      socket.send(subscribe(1))
      await socket.has(9)
    })
    expect(byRequest['1']).toHaveLength(9)
  })

  test('a stream over a WebSocket resumes from the last event id in its parameters or in its input, as with stock tRPC', async () => {
    await sameTalk(async (socket, twin) => {
      await twin.post('q3', 1, 4)
      socket.send(subscribe(1))
      await socket.has(3)
      const { result } = socket.messages[2]! as unknown as { result: { id: string } }
      await twin.post('q3', 1, 5)
      socket.send(subscribe(2, { room: 'q3' }, undefined, { lastEventId: result.id }))
      await socket.find(
        'the second stream has changes',
        ({ id, result }) => id === 2 && /"changes"/.test(JSON.stringify(result)),
      )
      socket.send(subscribe(3, { room: 'q3', lastEventId: result.id }))
      await socket.find(
        'the third stream has changes',
        ({ id, result }) => id === 3 && /"changes"/.test(JSON.stringify(result)),
      )
    })
  })

  test('a second subscription with the id of an open one is refused over a WebSocket, as by stock tRPC', async () => {
    await sameTalk(async (socket) => {
      socket.send(subscribe(1))
      await socket.has(3)
      socket.send(subscribe(1))
      await socket.has(4)
    })
  })

  test('a stream that a middleware of the app wraps has the same frames over a WebSocket as with stock tRPC', async () => {
    await sameTalk(async (socket, twin) => {
      socket.send(subscribe(1, { room: 'q3' }, 'wrapped.onLocation'))
      await socket.has(3)
      await twin.post('q3', 1, 4)
      await socket.has(4)
      socket.send(stop(1))
      await socket.has(5)
    })
  })

  test("an array of stop messages ends wrapped streams, the app's own streams and location streams, as with stock tRPC", async () => {
    await sameTalk(async (socket) => {
      const streams = [
        subscribe(1, { room: 'q3' }, 'wrapped.onLocation'),
        subscribe(2, { room: 'q4' }, 'wrapped.onLocation'),
        subscribe(3, undefined, 'ticks'),
        subscribe(4),
      ]
      // The streams open one after the other, because random values are compared by their order of arrival.
      for (const [at, stream] of streams.entries()) {
        socket.send(stream)
        await socket.has(3 * (at + 1))
      }
      socket.send([stop(1), stop(2)], [stop(3), stop(4)])
      await socket.has(16)
    })
  })

  test('an array of calls that reuse the ids of open subscriptions is refused for each id, as by stock tRPC', async () => {
    await sameTalk(async (socket) => {
      socket.send(subscribe(1, { room: 'q3' }, 'wrapped.onLocation'), subscribe(2, undefined, 'ticks'))
      await socket.has(6)
      socket.send([call(3, 'query', 'version'), subscribe(1, undefined, 'ticks'), subscribe(2, undefined, 'ticks')])
      await socket.has(9)
    })
  })

  test('a WebSocket whose context cannot be created is refused, as by stock tRPC', async () => {
    const createContext = () => {
      throw new Error('No context.')
    }
    await sameTalk(
      async (socket) => {
        await socket.closing()
      },
      { createContext },
    )
  })
})
