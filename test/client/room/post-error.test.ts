import type { CellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { Refusal, scriptedServer, type ScriptedServer } from '../../support/servers/scripted-server.js'
import type { CellTypes } from '../../support/cell-types.js'
import { until } from '../../support/until.js'

type Router = LocationServer<CellTypes>['router']

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })
let server: ScriptedServer
const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
beforeEach(async () => {
  server = await scriptedServer()
  warn.mockClear()
})
afterEach(() => server[Symbol.asyncDispose]())

/** Joins a room and makes its stream live. */
async function liveRoom() {
  const clock = manualClock()
  const client = createLocationClient<Router>({ url: server.url, clock })
  const room = client.join('r')
  const stream = await server.stream()
  stream.hello()
  stream.snapshot('epochepoch1.1')
  await room.ready()
  return { client, clock, room, stream, [Symbol.asyncDispose]: () => client.close() }
}
const refuse = (code: string, status: number, message: string) => {
  server.answers.post = () => Promise.reject(new Refusal(code, status, message))
}

test.each([
  ['FORBIDDEN', 403, 'forbidden', 'You may not post in this room.'],
  ['TOO_MANY_REQUESTS', 429, 'room-full', 'This room has 2 connections, which is the limit.'],
  ['BAD_REQUEST', 400, 'bad-input', 'row: too large.'],
] as const)(
  'a refused post (%s, %i, %s) sets `status.postError` while the room is live, and is written to the console once',
  async (code, http, said, sentence) => {
    refuse(code, http, `${said}: ${sentence}`)
    await using live = await liveRoom()
    await until('the refusal is shown', () => live.room.status.postError)
    expect(live.room.status).toMatchObject({ state: 'live', postError: { code: said, message: sentence } })
    // Without a listener of `error`, the refusal is written to the console once.
    await until('the console has it', () => warn.mock.calls.length > 0)
    live.room.post(cell(1))
    await live.clock.advance(50)
    await expect(live.room.flush()).rejects.toMatchObject({ code: said })
    expect(warn.mock.calls).toEqual([[`hereabouts: ${sentence} (${said})`]])
  },
)

test.each([
  [403, '{"message":"Forbidden"}', { code: 'forbidden', message: 'The server answered 403.' }],
  [502, '{"error":"Bad Gateway","statusCode":502}', { code: 'unavailable', message: 'The server answered 502.' }],
  [500, '[{"error":"x"}]', { code: 'unavailable', message: 'The server answered 500.' }],
  [200, 'null', { code: 'network', message: 'The server answered 200.' }],
])(
  'a gateway that answers posts with %i and JSON of its own (%s) is named in `status.postError`',
  async (status, body, error) => {
    const clock = manualClock()
    const answer = async () => new Response(body, { status, headers: { 'content-type': 'application/json' } })
    const client = createLocationClient<Router>({ url: server.url, clock, fetch: answer })
    const room = client.join('r')
    await until('the second post has failed', async () => (await clock.advance(50), room.status.postError))
    expect(room.status.postError).toMatchObject(error)
    await client.close()
  },
)

test('`status.postError` outlasts renewals of the lease and ends when a newer post is acknowledged', async () => {
  await using live = await liveRoom()
  await live.room.flush()
  refuse('BAD_REQUEST', 400, 'bad-input: That cell is locked.')
  live.room.post(cell(1))
  await live.clock.advance(50)
  await expect(live.room.flush()).rejects.toThrow('That cell is locked.')
  server.answers.post = ({ seq = 0 }) => ({ outcome: 'same', connectionId: 'me', memberId: 'm-me', seq })
  while (server.waiting().posts > 0) await server.post()
  // A heartbeat renews the lease with the location that the room shows.
  for (let i = 0; i < 2; i++) live.stream.beat('epochepoch1.1', 0, '0000000000000000')
  await until('the renewal is posted', async () => (await live.clock.advance(50), server.waiting().posts > 0))
  await live.clock.advance(50)
  expect(live.room.status.postError).toMatchObject({ code: 'bad-input' })
  live.room.post(cell(2))
  await live.clock.advance(50)
  await live.room.flush()
  expect(live.room.status).toEqual({ state: 'live' })
})

test('the second failure in a row of a post sets `status.postError`, the first one does not', async () => {
  await using live = await liveRoom()
  await live.room.flush()
  let failures = 0
  server.answers.post = () => (failures++, Promise.reject(new Error('cut')))
  live.room.post(cell(1))
  await live.clock.advance(50)
  await until('one post failed', () => failures === 1)
  expect(live.room.status).toEqual({ state: 'live' })
  await until('the next one failed too', async () => (await live.clock.advance(100), live.room.status.postError))
  expect(live.room.status).toMatchObject({ state: 'live', postError: { code: 'network' } })
})

test('a post that fails repeatedly with the same message emits one status event', async () => {
  await using live = await liveRoom()
  await live.room.flush()
  const events: string[] = []
  live.room.on('status', ({ current }) => events.push(`${current.state}: ${current.postError?.message}`))
  let failures = 0
  const unavailable = () => new Refusal('SERVICE_UNAVAILABLE', 503, 'unavailable: Post again.')
  server.answers.post = () => (failures++, Promise.reject(unavailable()))
  live.room.post(cell(1))
  await until('posts failed', async () => (await live.clock.advance(50), failures >= 4))
  refuse('FORBIDDEN', 403, 'forbidden: You may only look.')
  let refusal = ''
  live.room.flush().catch(({ message }: Error) => (refusal = message))
  await until('a post is refused', async () => (await live.clock.advance(50), refusal === 'You may only look.'))
  expect(events).toContain('live: Post again.')
  expect(events.filter((event, nth) => event === events[nth - 1])).toEqual([])
})

test('with a listener of `error`, a refused post writes nothing to the console', async () => {
  refuse('FORBIDDEN', 403, 'forbidden: You may only look.')
  const client = createLocationClient<Router>({ url: server.url, clock: manualClock() })
  const room = client.join('r')
  const heard: string[] = []
  room.on('error', ({ error }) => heard.push(error.message))
  await until('the refusal is heard', () => heard.length > 0)
  await client.close()
  expect(heard).toEqual(['You may only look.'])
  expect(warn).not.toHaveBeenCalled()
})

test('the error of a failed attempt to connect stays in `status.error` during the next attempt', async () => {
  server.answers.status = 503
  const clock = manualClock()
  const client = createLocationClient<Router>({ url: server.url, clock })
  const room = client.watch('r')
  await until('the first attempt failed', () => room.status.state === 'waiting')
  // The next attempt to connect gets no answer.
  server.answers.status = 0
  await clock.advance(500)
  expect(room.status).toMatchObject({ state: 'connecting', error: { code: 'unavailable' } })
  await client.close()
})
