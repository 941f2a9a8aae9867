import { setImmediate as turn } from 'node:timers/promises'
import type { Connection, GetLocationsOutput } from 'hereabouts'
import { createLocationClient, type Room, type RoomEvents } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { expect, test } from 'vitest'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { Refusal, scriptedServer, type ScriptedServer } from '../../support/servers/scripted-server.js'
import type { CellTypes } from '../../support/cell-types.js'

type Router = LocationServer<CellTypes>['router']

const id = (version: number) => `epochepoch1.${version}`
const one = (name: string, at = 1): Connection<CellTypes> => ({
  connectionId: name,
  memberId: name,
  profile: { name },
  location: null,
  activity: 'active',
  at,
})

/** Waits a few turns of the event loop, after which bytes written by one end have arrived at the other. */
const delivered = async () => {
  for (let i = 0; i < 40; i++) await turn()
}

async function joined(server: ScriptedServer) {
  const clock = manualClock()
  const client = createLocationClient<Router>({ url: server.url, clock })
  const room = client.join('r')
  const heard: [string, object][] = []
  for (const kind of ['entered', 'moved', 'lost', 'restored', 'error'] as const)
    room.on(kind, (event: RoomEvents<CellTypes>[typeof kind]) => heard.push([kind, event]))
  await server.post()
  await room.flush()
  const pass = async (ms: number) => {
    // The time passes in steps, because the next timer is set only when an answer arrives.
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500)
      await delivered()
    }
  }
  return { client, clock, room, heard, pass, [Symbol.asyncDispose]: () => client.close() }
}
const namesIn = (room: Pick<Room<CellTypes>, 'others'>) => room.others.map((other) => other.memberId)

/** Answers the first poll with Ada, and later polls with no change. */
const withAda: ScriptedServer['answers']['poll'] = ({ lastEventId }) =>
  lastEventId
    ? { id: lastEventId, event: { type: 'changes', from: lastEventId } }
    : { id: id(1), event: { type: 'snapshot', connections: [one('ada')] } }

test('a stream without a hello gets polls beside it after four seconds, and is closed after a heartbeat interval', async () => {
  await using server = await scriptedServer()
  server.answers.poll = withAda
  await using tab = await joined(server)
  const stream = await server.stream()
  await delivered()
  await tab.pass(3_500)
  expect(tab.room.status).toEqual({ state: 'connecting' })
  await tab.pass(500)
  await server.poll()
  await delivered()
  expect(tab.room.status).toMatchObject({ state: 'polling', error: { code: 'network' } })
  expect(namesIn(tab.room)).toEqual(['ada'])
  await tab.pass(6_000)
  await stream.closed
})

test('an HTML answer to a stream request starts polls at once', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html; charset=utf-8'
  server.answers.poll = withAda
  await using tab = await joined(server)
  await server.poll()
  await delivered()
  expect(tab.room.status).toMatchObject({ state: 'polling' })
  expect(namesIn(tab.room)).toEqual(['ada'])
})

test('polls run every 2 to 5 seconds from the newest id, and posts renew the lease', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  await using tab = await joined(server)
  expect((await server.poll()).lastEventId).toBeUndefined()
  await tab.pass(20_000)
  expect(server.polls()).toBeGreaterThanOrEqual(3)
  expect(server.polls()).toBeLessThanOrEqual(10)
  expect((await server.poll()).lastEventId).toBe(id(1))
  // After a heartbeat interval without a post, the client renews its lease, for longer than a browser throttles timers.
  expect(await server.post()).toMatchObject({ seq: 1, leaseMs: 90_000 })
})

test('a polling client whose long lease is refused posts again with the default lease, and remembers the refusal', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  const { post } = server.answers
  server.answers.post = (input) => {
    if (input.leaseMs === undefined) return post(input)
    throw new Refusal('BAD_REQUEST', 400, 'bad-input: leaseMs must be 100 to 6000.')
  }
  await using tab = await joined(server)
  await tab.pass(20_000)
  expect(await server.post()).toMatchObject({ seq: 1, leaseMs: 90_000 })
  await delivered()
  const accepted = await server.post()
  expect(accepted.seq).toBe(1)
  expect(accepted.leaseMs).toBeUndefined()
  await delivered()
  expect(tab.room.status).toEqual({ state: 'polling', error: expect.anything() })
  // The refusal is remembered: later posts do not ask for a long lease again.
  await tab.pass(20_000)
  expect((await server.post()).leaseMs).toBeUndefined()
})

test('a polling client posts `activeAgoMs` only while the newest poll lists the feature `used`', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = (input) => ({ ...(withAda(input) as GetLocationsOutput<CellTypes>), features: ['used'] })
  await using tab = await joined(server)
  await server.poll()
  await delivered()
  tab.room.update({ activity: 'idle' })
  await tab.pass(500)
  expect(await server.post()).toMatchObject({ seq: 2, activeAgoMs: expect.any(Number) as number })
  // Polls are now answered by a server process of an older version.
  server.answers.poll = withAda
  await tab.pass(5_500)
  tab.room.update({ activity: 'active' })
  await tab.pass(500)
  while (server.waiting().posts > 1) await server.post()
  expect(await server.post()).not.toHaveProperty('activeAgoMs')
})

test('a poll that brings a new member emits `entered` without `caughtUp`', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  await using tab = await joined(server)
  await server.poll()
  await delivered()
  server.answers.poll = ({ lastEventId }) =>
    lastEventId === id(1)
      ? { id: id(2), event: { type: 'changes', from: id(1), entered: [one('bob', 2)] } }
      : { id: id(2), event: { type: 'changes', from: id(2) } }
  await tab.pass(5_500)
  expect(tab.heard).toMatchObject([['entered', { member: { memberId: 'bob' }, caughtUp: false }]])
})

test('a blocked stream is tried again while polls go on, and ends the polls when it opens', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  await using tab = await joined(server)
  await delivered()
  const start = tab.clock.now()
  const seen = new Set<string>()
  tab.room.on('status', ({ current }) => seen.add(current.state))
  server.answers.contentType = 'text/event-stream'
  while (server.waiting().streams === 0) await tab.pass(500)
  const stream = await server.stream()
  expect(tab.clock.now() - start).toBeGreaterThan(24_000)
  expect(stream.input.lastEventId).toBe(id(1))
  const before = server.polls()
  await tab.pass(5_500)
  expect(server.polls()).toBeGreaterThan(before)
  expect(seen.size).toBe(0)
  stream.hello(id(1))
  await delivered()
  expect(tab.room.status).toEqual({ state: 'live' })
  const then = server.polls()
  await tab.pass(8_000)
  expect(server.polls()).toBe(then)
  expect(tab.heard).toEqual([])
})

test('a failed attempt to open a stream does not stop the polls', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  await using tab = await joined(server)
  await delivered()
  const seen = new Set<string>()
  tab.room.on('status', ({ current }) => seen.add(current.state))
  server.answers.contentType = 'text/event-stream'
  server.answers.status = 503
  await tab.pass(31_000)
  expect([...seen]).toEqual([])
  expect(tab.room.status.state).toBe('polling')
})

test('a room whose streams and polls get answers of another server waits and reports `misconfigured`', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = () => {
    throw new Refusal('', 200, '')
  }
  await using tab = await joined(server)
  await tab.pass(500)
  while (tab.room.status.state !== 'waiting') await tab.pass(500)
  expect(tab.room.status).toMatchObject({
    attempt: expect.any(Number) as number,
    error: {
      name: 'LocationError',
      code: 'misconfigured',
      message: `No Hereabouts router answered at ${server.url}. Check the tRPC URL, such as /trpc, and the path.`,
      cause: { code: 200 },
    },
  })
})

test('leaving the room stops the polls', async () => {
  await using server = await scriptedServer()
  server.answers.contentType = 'text/html'
  server.answers.poll = withAda
  await using tab = await joined(server)
  await delivered()
  await tab.room.leave()
  const before = server.polls()
  await tab.pass(60_000)
  expect(server.polls()).toBe(before)
})
