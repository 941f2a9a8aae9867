import * as z from 'zod'
import { createLocationHub, memoryBackend, type Backend, type RoomOptions, type RoomState } from 'hereabouts/server'
import { manualClock } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import type { Hub } from '../../../src/server/hub/hub.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'

/* After a backend has read a room again (onReset), subscribers get the difference to their version, or a snapshot. */

const person = (connectionId: string, location: string, at: number) => ({
  connectionId,
  memberId: connectionId,
  profile: null,
  location,
  activity: 'active' as const,
  at,
})
const state = (own: Partial<RoomState> = {}): RoomState => ({
  epoch: 'epoch-aaaaa',
  version: 100,
  floor: 50,
  connections: [person('c1', 'A1', 60), person('c2', 'B2', 100), person('c3', 'C3', 70), person('c4', 'D4', 80)],
  left: [],
  ...own,
})

async function stage() {
  const clock = manualClock()
  let tell: RoomOptions | undefined
  let refreshes = 0
  const backend: Backend = {
    ...memoryBackend(),
    async open(_room, options) {
      tell = options
      const refresh = async () => {
        refreshes++
        options.onReset(state({ version: 130, connections: [person('c1', 'Z9', 130)] }))
      }
      return {
        state: state(),
        act: async (actions) => actions.map(() => ({ type: 'done' })),
        refresh,
        broadcast: async () => {},
        close: async () => {},
      }
    },
  }
  const hub = createLocationHub({ location: z.string(), clock, backend }) as unknown as Hub
  const open = (lastEventId: string | null = null) =>
    hub.subscribe('r', { connectionId: null, memberId: null, lastEventId, expiresAt: null, recheck: async () => true })
  const viewer = await open()
  taken(viewer)
  return {
    clock,
    hub,
    open,
    viewer,
    reset: (own: Partial<RoomState>) => tell!.onReset(state(own)),
    refreshes: () => refreshes,
  }
}

function taken(subscriber: Subscriber) {
  const frames = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) frames.push(frame)
  return frames
}

test('after a room was read again, a subscriber at or above the floor gets one merged frame of changes', async () => {
  const { clock, viewer, reset } = await stage()
  reset({
    version: 120,
    connections: [person('c1', 'A1', 60), person('c2', 'B2', 100), person('c3', 'X7', 120), person('c4', 'D4', 80)],
  })
  await clock.advance(16)
  expect(taken(viewer)).toMatchObject([
    { id: 'epoch-aaaaa.120', event: { type: 'changes', from: 'epoch-aaaaa.100', entered: [{ connectionId: 'c3' }] } },
  ])
})

test('after a room was read again, a subscriber below the floor of the room gets a snapshot', async () => {
  const { clock, viewer, reset } = await stage()
  reset({ version: 120, floor: 110, connections: [person('c1', 'A1', 60)] })
  await clock.advance(16)
  expect(taken(viewer)).toMatchObject([{ id: 'epoch-aaaaa.120', event: { type: 'snapshot' } }])
})

test('after a room was read again with a new epoch, subscribers get a snapshot, even at the same version', async () => {
  const { clock, viewer, reset } = await stage()
  reset({ epoch: 'epoch-bbbbb' })
  await clock.advance(16)
  expect(taken(viewer)).toMatchObject([{ id: 'epoch-bbbbb.100', event: { type: 'snapshot' } }])
})

test('before a stream resumes from a version newer than the process has, the process reads the room again', async () => {
  const { open, refreshes } = await stage()
  const [hello, changes] = taken(await open('epoch-aaaaa.120'))
  expect(refreshes()).toBe(1)
  expect(hello).toMatchObject({ id: 'epoch-aaaaa.120', event: { type: 'hello' } })
  expect(changes).toMatchObject({ id: 'epoch-aaaaa.130' })
  taken(await open('epoch-aaaaa.130'))
  expect(refreshes()).toBe(1)
})
