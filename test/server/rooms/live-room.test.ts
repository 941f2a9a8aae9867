import * as z from 'zod'
import { createLocationHub, memoryBackend, type Backend, type RoomOptions, type RoomState } from 'hereabouts/server'
import { expect, test } from 'vitest'
import { Hub } from '../../../src/server/hub/hub.js'
import { countingClock } from '../../support/counting-clock.js'
import { posting } from '../../support/histories.js'

/* A room and its backend: what the backend reports at any time, and calls that fail. */

const person = (connectionId: string, at: number) => ({
  connectionId,
  memberId: connectionId,
  profile: null,
  location: 'A1',
  activity: 'active' as const,
  at,
})
const stateOf = (own: Partial<RoomState> = {}): RoomState => ({
  epoch: 'epoch-aaaaa',
  version: 1_000,
  floor: 50,
  connections: [person('c1', 60)],
  left: [],
  ...own,
})
const note = (after: number, epoch = 'epoch-aaaaa') =>
  JSON.stringify({ id: 'b1', epoch, to: null, item: { name: 'note', payload: 'x', connectionId: null, memberId: null, at: 1, after } }) // prettier-ignore

/** A hub whose backend does what `state` says. `early` runs before the room has opened. */
async function stage(early: (options: RoomOptions) => void = () => {}) {
  const clock = countingClock()
  let tell: RoomOptions | undefined
  const acts: unknown[][] = []
  const state = { fault: null as Error | null, refreshFault: null as Error | null, closes: 0 }
  const backend: Backend = {
    ...memoryBackend(),
    async open(_room, options) {
      tell = options
      early(options)
      return {
        state: stateOf(),
        async act(actions) {
          acts.push(actions.map(({ type }) => type))
          if (state.fault) throw state.fault
          return actions.map(() => ({ type: 'done' as const }))
        },
        async refresh() {
          if (state.refreshFault) throw state.refreshFault
        },
        async broadcast() {
          if (state.fault) throw state.fault
        },
        close: async () => void (state.closes += 1),
      }
    },
  }
  const hub = createLocationHub({ location: z.string(), clock, backend })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const room = await hub.use('r', async (live) => live)
  return { clock, hub, room, state, acts, tell: () => tell! }
}

test('what a backend reports before its room has opened is applied when the room opens, in order', async () => {
  const { room } = await stage(({ onCommit, onHealth, onBroadcast }) => {
    onCommit({
      epoch: 'epoch-aaaaa',
      prev: 1_000,
      version: 1_001,
      entered: [person('c2', 1_001)],
      changed: [],
      left: [],
    })
    onCommit({
      epoch: 'epoch-aaaaa',
      prev: 1_001,
      version: 1_002,
      entered: [person('c3', 1_002)],
      changed: [],
      left: [],
    })
    onHealth!('down')
    onBroadcast!(note(0))
  })
  expect(room.timeline.connections().map(({ connectionId }) => connectionId)).toEqual(['c1', 'c2', 'c3'])
  expect([room.isOutOfReach, room.broadcasts.ring.end]).toEqual([true, 1])
})

test('a room that the backend read again before it has opened shows the newer state', async () => {
  const { room } = await stage(({ onReset }) => onReset(stateOf({ version: 2_000, connections: [] })))
  expect([room.timeline.version, room.timeline.size]).toEqual([2_000, 0])
})

test('a room that was read again is counted, and releases the broadcasts that waited for its version', async () => {
  const { hub, room, tell } = await stage()
  tell().onBroadcast!(note(1_500))
  expect([hub.readings().rereads, room.broadcasts.ring.end]).toEqual([0, 0])
  tell().onReset(stateOf({ version: 1_500 }))
  expect([hub.readings().rereads, room.broadcasts.ring.end]).toEqual([1, 1])
})

test('a room that was read again with a new epoch forgets nobody by the versions of the old one', async () => {
  const { clock, room, tell } = await stage()
  await clock.advance(40_000)
  const left = [{ connectionId: 'c9', at: 150, reason: 'left' as const }]
  tell().onReset(stateOf({ epoch: 'epoch-bbbbb', version: 200, left }))
  await clock.advance(25_000)
  expect(room.timeline.resumable('epoch-bbbbb.100')).toBe(100)
  await clock.advance(45_000)
  expect(room.timeline.resumable('epoch-bbbbb.100')).toBeNull()
})

test('a commit that does not follow the state of the room is ignored', async () => {
  const { room, tell } = await stage()
  for (const [epoch, prev] of [
    ['epoch-aaaaa', 999],
    ['epoch-bbbbb', 1_000],
  ] as const)
    tell().onCommit({ epoch, prev, version: 3_000, entered: [person('c2', 3_000)], changed: [], left: [] })
  expect([room.timeline.version, room.timeline.size]).toEqual([1_000, 1])
})

test('calls of one tick are one batch, and calls that come while it is carried out are the next', async () => {
  const { clock, hub, acts } = await stage()
  const calls = ['c1', 'c2'].map((id) => hub.act('r', posting(id, 1, 'A1')))
  await clock.advance(0)
  const more = hub.act('r', posting('c1', 2, 'A1'))
  await clock.advance(20)
  await Promise.all([...calls, more])
  expect(acts.filter(([type]) => type === 'post')).toEqual([['post', 'post'], ['post']])
})

test('every call of a batch that fails is `unavailable`, and the next batch does not repeat it', async () => {
  const { clock, hub, state, acts } = await stage()
  state.fault = new Error('down')
  const failed = Promise.allSettled(['c1', 'c2', 'c3'].map((id) => hub.act('r', posting(id, 1, 'A1'))))
  await clock.advance(0)
  for (const each of await failed)
    expect(each).toMatchObject({ reason: { code: 'unavailable', cause: { message: 'down' } } })
  state.fault = null
  const again = hub.act('r', posting('c1', 2, 'A1'))
  await clock.advance(20)
  await again
  expect(acts.filter(([type]) => type === 'post').map(({ length }) => length)).toEqual([3, 1])
})

test('a broadcast that the backend refuses is `unavailable`, and a refresh that fails is not', async () => {
  const { room, state } = await stage()
  state.fault = state.refreshFault = new Error('down')
  await expect(room.broadcast({ id: 'x' } as never)).rejects.toMatchObject({ code: 'unavailable', cause: state.fault })
  await expect(room.refresh()).resolves.toBeUndefined()
  await expect(room.catchUpWith('epoch-aaaaa.5000')).resolves.toBeUndefined()
})

test('a room whose call is pending is not closed', async () => {
  const { clock, hub, state, tell } = await stage()
  tell().onCommit({ epoch: 'epoch-aaaaa', prev: 1_000, version: 1_001, entered: [], changed: [], left: [{ connectionId: 'c1', at: 1_001, reason: 'left' }] }) // prettier-ignore
  await clock.advance(70_000)
  expect([state.closes, hub.readings().rooms]).toEqual([1, 0])
})

test('a failed sweep is not an unhandled rejection', async () => {
  const { clock, state, acts } = await stage()
  state.fault = new Error('down')
  await clock.advance(1_000)
  expect(acts.length).toBeGreaterThan(2)
})
