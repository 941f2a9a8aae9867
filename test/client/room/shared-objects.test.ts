import type { CellLocation, Connection, GetLocationsOutput, MemberProfile } from 'hereabouts'
import { createLocationClient, type JoinOptions, type Room } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { CellTypes } from '../../support/cell-types.js'
import { scriptedServer } from '../../support/servers/scripted-server.js'

type Router = LocationServer<CellTypes>['router']
type AnyRoom = Room<CellTypes>

const ada: Connection<CellTypes> = {
  connectionId: 'c1',
  memberId: 'ada',
  profile: { name: 'Ada' },
  location: { sheet: 'Q3', row: 1, col: 1 },
  activity: 'active',
  at: 1_000_000,
}

async function joined(options: JoinOptions<CellTypes> = {}) {
  const server = await scriptedServer()
  const clock = manualClock()
  const client = createLocationClient<Router>({ url: server.url, clock })
  const room = client.join('r', options)
  const stream = await server.stream()
  const first = await server.post()
  await room.flush()
  /** Returns the next post, after the least time between two posts. */
  const nextPost = async () => {
    await clock.advance(50)
    return server.post()
  }
  return {
    server,
    nextPost,
    client,
    room,
    first,
    stream,
    async [Symbol.asyncDispose]() {
      await client.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** The ways in which an app hands an object to a room before it changes the object in place. */
const handedIn: [edge: string, hand: (room: AnyRoom, own: { at: CellLocation; profile: MemberProfile }) => void][] = [
  ['post()', (room, { at }) => room.post(at)],
  ['update() of the profile', (room, { profile }) => room.update({ profile })],
  ['post() after update()', (room, { at, profile }) => (room.update({ profile }), room.post(at))],
]

describe('objects that the app changes in place', () => {
  test.each(handedIn)(
    'an object that the app changes in place and hands to %s again is posted with its new values',
    async (_, hand) => {
      await using opened = await joined()
      const { room, nextPost } = opened
      const own = { at: { sheet: 'Q3', row: 1, col: 1 }, profile: { name: 'Ada' } }
      hand(room, own)
      const before = await nextPost()
      await room.flush()
      own.at.row = 2
      own.profile.name = 'Countess'
      hand(room, own)
      const flushed = room.flush()
      const after = await nextPost()
      await flushed
      expect(after.seq).toBe(before.seq! + 1)
      expect(after).not.toMatchObject({ location: before.location, profile: before.profile ?? null })
    },
  )

  test.each(handedIn)(
    'an object that the app handed to %s and then changes in place does not change later posts',
    async (_, hand) => {
      await using opened = await joined()
      const { room, nextPost } = opened
      const own = { at: { sheet: 'Q3', row: 1, col: 1 }, profile: { name: 'Ada' } }
      hand(room, own)
      const before = await nextPost()
      await room.flush()
      own.at.row = 2
      own.profile.name = 'Countess'
      room.update({ activity: 'idle' })
      const { location, profile } = await nextPost()
      expect({ location, profile }).toEqual({ location: before.location, profile: before.profile })
    },
  )

  test('an object that the app handed to join() and then changes in place is posted with its values at the join', async () => {
    const profile = { name: 'Ada' }
    const location = { sheet: 'Q3', row: 1, col: 1 }
    const server = await scriptedServer()
    await using client = Object.assign(createLocationClient<Router>({ url: server.url, clock: manualClock() }), {
      async [Symbol.asyncDispose]() {
        await client.close()
        await server[Symbol.asyncDispose]()
      },
    })
    client.join('r', { profile, location })
    profile.name = 'Countess'
    location.row = 2
    expect(await server.post()).toMatchObject({ profile: { name: 'Ada' }, location: { row: 1 } })
  })

  test('an `initial` snapshot that the app changes in place after join() does not change what the room shows', async () => {
    const initial: GetLocationsOutput<CellTypes> = {
      id: 'epochepoch1.1',
      event: { type: 'snapshot', connections: [structuredClone(ada)] },
    }
    await using opened = await joined({ initial })
    const [connection] = (initial.event as { connections: (typeof ada)[] }).connections
    connection!.profile!.name = 'Mallory'
    connection!.location!.row = 9
    expect(opened.room.others).toMatchObject([{ profile: { name: 'Ada' }, location: { row: 1 } }])
  })
})

/** Returns the paths of all parts of `value` that are not frozen. */
function mutableParts(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null || value instanceof Error) return []
  return [
    ...(Object.isFrozen(value) ? [] : [path]),
    ...Object.entries(value).flatMap(([key, part]) => mutableParts(part, `${path}.${key}`)),
  ]
}

test('all lists, members, statuses and events that a room hands out are frozen', async () => {
  await using opened = await joined({ profile: { name: 'Me' }, location: { sheet: 'Q3', row: 3, col: 3 } })
  const { room, stream } = opened
  const handedOut: Record<string, unknown> = {}
  for (const kind of ['entered', 'moved', 'updated', 'left', 'status', 'error'] as const)
    room.on(kind, (event) => (handedOut[`${kind} event`] = event))
  room.subscribe((snapshot) => (handedOut['snapshot'] = snapshot))
  expect(mutableParts(room.others, 'others')).toEqual([])
  expect(mutableParts(room.membersAt(ada.location!), 'membersAt')).toEqual([])
  stream.hello()
  stream.snapshot('epochepoch1.1')
  await room.ready()
  const changes = (version: number, change: object) =>
    stream.event(`epochepoch1.${version + 1}`, { type: 'changes', from: `epochepoch1.${version}`, ...change })
  changes(1, { entered: [ada] })
  changes(2, { changed: [{ connectionId: 'c1', at: 1_000_001, location: { sheet: 'Q3', row: 2, col: 2 } }] })
  changes(3, { changed: [{ connectionId: 'c1', at: 1_000_002, profile: { name: 'Countess' } }] })
  await new Promise<void>((resolve) => void room.on('updated', () => resolve()))
  Object.assign(handedOut, {
    others: room.others,
    members: room.members,
    self: room.self,
    status: room.status,
    other: room.other('ada'),
    membersAt: room.membersAt({ sheet: 'Q3', row: 2, col: 2 }),
  })
  const left = new Promise<void>((resolve) => void room.on('left', () => resolve()))
  changes(4, { left: [{ connectionId: 'c1', at: 1_000_003, reason: 'left' }] })
  await left
  expect(Object.keys(handedOut)).toEqual(expect.arrayContaining(['entered event', 'moved event', 'updated event']))
  expect(handedOut['membersAt']).toHaveLength(1)
  for (const [name, value] of Object.entries(handedOut)) expect(mutableParts(value, name)).toEqual([])
})

test('an error that a room hands out is not frozen, so that error trackers can add fields', async () => {
  await using opened = await joined()
  const { room, stream } = opened
  const failed = new Promise<Error>((resolve) => void room.on('error', ({ error }) => resolve(error)))
  stream.error('FORBIDDEN', 403, 'forbidden: You may not read in this room.')
  expect(Object.isFrozen(await failed)).toBe(false)
})

test('closing a client sends a leave request, empties its rooms and makes later joins throw', async () => {
  await using opened = await joined({ profile: { name: 'Me' } })
  const { room, client, server, stream } = opened
  stream.hello()
  stream.snapshot('epochepoch1.1', ada)
  await room.ready()
  expect(room.others).toHaveLength(1)
  const closed = client.close()
  expect(await server.leave()).toMatchObject({ room: 'r' })
  await closed
  expect({ self: room.self, others: room.others, members: room.members }).toEqual({
    self: null,
    others: [],
    members: [],
  })
  expect(room.membersAt(ada.location!)).toEqual([])
  expect(() => client.join('r')).toThrow('This client is closed: create a new one.')
})
