import * as z from 'zod'
import { createLocationHub, memoryBackend, silentLogger, type Backend, type BackendHealth } from 'hereabouts/server'
import { expect, test } from 'vitest'
import type { Hub } from '../../../src/server/hub/hub.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'
import { manualClock } from '../../../src/testing/manual-clock.js'

/* A hub and its backend: what the backend reports, and what the hub leaves behind. */

function stage() {
  const clock = manualClock()
  const memory = memoryBackend()
  const state = { closes: 0, listeners: 0, lines: [] as string[] }
  let report: (health: BackendHealth, error?: Error) => void = () => {}
  const backend: Backend = {
    ...memory,
    onHealth(listener) {
      state.listeners += 1
      report = listener
      return () => (state.listeners -= 1)
    },
    onRevoke(listener) {
      state.listeners += 1
      const end = memory.onRevoke(listener)
      return () => {
        state.listeners -= 1
        end()
      }
    },
    async close() {
      state.closes += 1
      await memory.close()
    },
  }
  const note = (level: string) => (message: string, details?: object) =>
    void state.lines.push(
      [level, message, ...(details && 'error' in details ? [String(details.error)] : [])].join(': '),
    )
  const logger = { ...silentLogger, info: note('info'), error: note('error') }
  const hub = createLocationHub({
    location: z.strictObject({ at: z.string() }),
    profile: z.string() as never,
    broadcasts: { note: z.string() },
    clock,
    backend,
    logger,
  }) as unknown as Hub
  const open = () =>
    hub.subscribe('r', {
      connectionId: null,
      memberId: null,
      lastEventId: null,
      expiresAt: null,
      recheck: async () => true,
    })
  const settled = async <T>(call: Promise<T>) => {
    await clock.advance(20)
    return call
  }
  return { clock, hub, state, open, settled, report: (...given: Parameters<typeof report>) => report(...given) }
}
function taken(subscriber: Subscriber) {
  const events = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) events.push(frame.event)
  return events
}

test('a backend that becomes unreachable is told to every stream at once, and logged with its reason', async () => {
  const { clock, hub, state, open, report } = stage()
  const streams = [await open(), await open()]
  streams.forEach(taken)
  report('down', new Error('refused'))
  await clock.advance(0)
  expect(streams.map(taken)).toEqual([
    [{ type: 'degraded', reason: 'backend' }],
    [{ type: 'degraded', reason: 'backend' }],
  ])
  expect(hub.health()).toBe('degraded')
  report('partial', new Error('a shard'))
  await clock.advance(0)
  expect(hub.health()).toBe('ready')
  report('up')
  expect(state.lines).toEqual([
    'error: the backend is out of reach: Error: refused',
    'error: a part of the backend is out of reach: Error: a shard',
    'info: the backend is back',
  ])
})

test('a hub that is closed leaves no listener at its backend, and closes the backend once', async () => {
  const { hub, state } = stage()
  expect(state.listeners).toBe(2)
  await Promise.all([hub.close(), hub.close()])
  await hub.close()
  expect([state.listeners, state.closes, hub.health()]).toEqual([0, 1, 'draining'])
})

test('members() returns copies, which the caller may change', async () => {
  const { hub, settled } = stage()
  const room = hub.room('r')
  await settled(room.post({ memberId: 'ada', location: { at: 'A1' } }))
  const [member] = await room.members()
  ;(member!.location as { at: string }).at = 'changed'
  expect((await room.members())[0]!.location).toEqual({ at: 'A1' })
})

test('a post through the hub has the lease and the profile that it is given', async () => {
  const { clock, hub, settled } = stage()
  const room = hub.room('r')
  await settled(room.post({ memberId: 'ada', location: { at: 'A1' }, profile: 'Ada', leaseMs: 5_000 }))
  expect(await room.members()).toMatchObject([{ memberId: 'ada', profile: 'Ada' }])
  await clock.advance(6_000)
  expect(await room.count()).toBe(0)
  await expect(room.post({ memberId: 'ada', location: null, leaseMs: 1 })).rejects.toMatchObject({ code: 'bad-input' })
})

test('a broadcast through the hub has the sender that it is given, or none', async () => {
  const { clock, hub, open } = stage()
  const viewer = await open()
  taken(viewer)
  const { broadcast } = hub.room('r') as unknown as {
    broadcast(name: string, payload: string, options?: object): Promise<void>
  }
  await broadcast('note', 'hi')
  await broadcast('note', 'hello', { from: 'ada' })
  await clock.advance(20)
  const items = taken(viewer).flatMap((event) => (event.type === 'broadcast' ? event.items : []))
  expect(items.map(({ payload, memberId }) => [payload, memberId])).toEqual([
    ['hi', null],
    ['hello', 'ada'],
  ])
})
