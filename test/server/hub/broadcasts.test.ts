import * as z from 'zod'
import { LocationError } from 'hereabouts'
import { createLocationHub, memoryBackend, type HubOptions } from 'hereabouts/server'
import { describe, expect, test } from 'vitest'
import type { Hub } from '../../../src/server/hub/hub.js'
import type { HubRoomBroadcasts } from '../../../src/server/hub/hub-room.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import type { Frame } from '../../../src/server/rooms/frames.js'
import { posting } from '../../support/histories.js'

const place = z.string()
const broadcasts = { note: z.string(), reaction: z.strictObject({ emoji: z.string() }) }
type AnyRoom = HubRoomBroadcasts<
  { broadcasts: { note: string } } & Record<'location' | 'profile' | 'presence', unknown> & { locks: false }
>

/** A hub with a manual clock, and helpers for its room `r`. */
function stage(options: Partial<HubOptions<typeof place, false, false, false, typeof broadcasts>> = {}) {
  const clock = manualClock()
  const given = {
    location: place,
    profile: false as const,
    broadcasts,
    clock,
    limits: { roomBroadcastsPerSecond: 1e9 },
  }
  const hub = createLocationHub({ ...given, ...options }) as unknown as Hub
  const room = hub.room('r') as unknown as AnyRoom
  /** Sends a note, and lets the room wake its subscribers. */
  const send = async (text: string, to?: string) => {
    await room.broadcast('note', text, to === undefined ? {} : { to })
    await clock.advance(0)
  }
  const open = (own: Partial<Parameters<typeof hub.subscribe>[1]> = {}) =>
    hub.subscribe('r', {
      connectionId: null,
      memberId: null,
      lastEventId: null,
      expiresAt: null,
      recheck: async () => true,
      ...own,
    })
  const read = async (own: Parameters<typeof open>[0] = {}) => {
    const viewer = await open(own)
    framesOf(viewer)
    return viewer
  }
  return { clock, hub, room, send, open, read }
}

function framesOf(subscriber: Subscriber): Frame[] {
  const frames = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) frames.push(frame)
  return frames
}
const typesOf = (subscriber: Subscriber) => framesOf(subscriber).map(({ event }) => event.type)
const itemsOf = (frames: Frame[]) => frames.flatMap(({ event }) => (event.type === 'broadcast' ? event.items : []))
const notesOf = (subscriber: Subscriber) => itemsOf(framesOf(subscriber)).map(({ payload }) => payload)

describe('delivery of broadcasts', () => {
  test('a broadcast reaches every open stream once, as one shared frame with the current event id of the room', async () => {
    const { hub, send, read } = stage()
    const viewers = [await read(), await read()]
    await send('hi')
    const [one, other] = viewers.map(framesOf)
    expect(one).toHaveLength(1)
    expect(one![0]).toBe(other![0])
    expect(one![0]!.isShared).toBe(true)
    expect(one![0]!.id).toBe(await hub.use('r', ({ timeline }) => timeline.id()))
    expect(one![0]!.event).toEqual({
      type: 'broadcast',
      items: [
        {
          name: 'note',
          payload: 'hi',
          connectionId: null,
          memberId: null,
          at: expect.any(Number) as number,
          after: expect.any(Number) as number,
        },
      ],
    })
    expect(viewers.map(typesOf)).toEqual([[], []])
  })

  test('a stream that opens later, or resumes, is not sent earlier broadcasts', async () => {
    const { hub, send, open, read } = stage()
    await read()
    await send('early')
    const lastEventId = await hub.use('r', ({ timeline }) => timeline.id())
    expect(typesOf(await open())).toEqual(['hello', 'snapshot'])
    expect(typesOf(await open({ lastEventId }))).toEqual(['hello'])
  })

  test('a stream is sent its pending frame and heartbeat before broadcasts', async () => {
    const { clock, hub, room, read } = stage()
    const viewer = await read()
    await room.broadcast('note', 'hi')
    viewer.beat()
    await Promise.all([hub.act('r', posting('c1', 1, 'A1')), clock.advance(16)])
    expect(typesOf(viewer)).toEqual(['changes', 'beat', 'broadcast'])
  })

  test('a slow consumer that is 300 broadcasts behind gets the newest 256, and the 44 lost ones are counted', async () => {
    const { hub, send, read } = stage()
    const viewer = await read()
    for (let i = 0; i < 300; i++) await send(`${i}`)
    expect(notesOf(viewer)).toEqual(Array.from({ length: 256 }, (_, i) => `${i + 44}`))
    expect(hub.readings()).toMatchObject({ broadcasts: 300, broadcastsLost: 44 })
  })

  test('a broadcast event has at most 64 KiB, and further broadcasts follow in the next event', async () => {
    const { send, read } = stage()
    const viewer = await read()
    for (let i = 0; i < 200; i++) await send(String(i).padEnd(1_000, '-'))
    const frames = framesOf(viewer)
    expect(itemsOf(frames)).toHaveLength(200)
    expect(frames.length).toBeGreaterThan(1)
    const sizes = frames.map((frame) => frame.encoded({ serialize: (value) => value }).body.length)
    for (const size of sizes) expect(size).toBeLessThanOrEqual(65_536)
    expect(sizes[0]).toBeGreaterThan(60_000)
  })

  test('a broadcast with a payload above 1 KiB, a payload that its schema refuses or an unknown name is refused', async () => {
    const { room } = stage()
    await expect(room.broadcast('note', '-'.repeat(1_023))).rejects.toMatchObject({ code: 'too-large' })
    await room.broadcast('note', '-'.repeat(1_022))
    await expect(room.broadcast('note', 7 as never)).rejects.toMatchObject({ code: 'bad-input' })
    for (const name of ['nothing', 'toString', '__proto__'])
      await expect(room.broadcast(name as 'note', 'x')).rejects.toMatchObject({ code: 'bad-input' })
  })

  test('a room accepts 200 broadcasts at once, and then 200 a second', async () => {
    const { clock, hub } = stage({ limits: {} })
    const room = hub.room('r') as unknown as AnyRoom
    const send = () => room.broadcast('note', 'x')
    for (let i = 0; i < 200; i++) await send()
    await expect(send()).rejects.toMatchObject({ code: 'rate-limited', retryAfterMs: 5 })
    await (hub.room('other') as unknown as AnyRoom).broadcast('note', 'x')
    await clock.advance(5)
    await send()
  })
})

describe('targeted broadcasts', () => {
  test('a broadcast to one member reaches only the streams of that member, and only while the member is present', async () => {
    const { clock, hub, send, open } = stage()
    const enter = (connectionId: string, memberId: string) =>
      Promise.all([hub.act('r', posting(connectionId, 1, 'A1', { memberId })), clock.advance(16)])
    await enter('c1', 'ada')
    await enter('c2', 'bob')
    const streams = {
      ada: await open({ memberId: 'ada' }),
      adaKeyed: await open({ connectionId: 'c1' }),
      bob: await open({ memberId: 'bob' }),
      absent: await open({ memberId: 'eve' }),
      anonymous: await open(),
    }
    Object.values(streams).forEach(framesOf)
    await send('to all')
    await send('to ada', 'ada')
    await send('to eve', 'eve')
    await send('to all again')
    const all = ['to all', 'to all again']
    const heard = Object.fromEntries(Object.entries(streams).map(([name, stream]) => [name, notesOf(stream)]))
    const adas = ['to all', 'to ada', 'to all again']
    expect(heard).toEqual({ ada: adas, adaKeyed: adas, bob: all, absent: all, anonymous: all })
    await send('to all')
    await send('to ada', 'ada')
    await hub.act('r', { type: 'leave', connectionId: 'c1', memberId: null, seq: undefined, graceMs: 0 })
    expect(notesOf(streams.ada)).toEqual(['to all'])
  })

  test('a frame with a broadcast to one member is not shared with other streams', async () => {
    const { clock, hub, send, open } = stage()
    await Promise.all([hub.act('r', posting('c1', 1, 'A1', { memberId: 'ada' })), clock.advance(16)])
    const ada = await open({ memberId: 'ada' })
    framesOf(ada)
    await send('psst', 'ada')
    expect(framesOf(ada).map(({ isShared }) => isShared)).toEqual([false])
  })
})

/** Returns a note as another process publishes it, to be sent after the version `after`. */
const noteAfter = (after: number, epoch: string, payload: string) =>
  JSON.stringify({
    id: payload,
    epoch,
    to: null,
    item: { name: 'note', payload, connectionId: null, memberId: null, at: 1, after },
  })

describe('order of broadcasts and state', () => {
  test('a broadcast waits at most 100 ms for the version that its sender had seen', async () => {
    const { clock, hub, read } = stage()
    const viewer = await read()
    await hub.use('r', async ({ broadcasts, timeline }) => {
      broadcasts.receive(noteAfter(timeline.version + 1, timeline.epoch, 'early'))
      broadcasts.receive(noteAfter(0, timeline.epoch, 'behind it'))
    })
    await clock.advance(99)
    expect(typesOf(viewer)).toEqual([])
    await clock.advance(1)
    expect(notesOf(viewer)).toEqual(['early', 'behind it'])
  })

  test('a broadcast that waits for a version is sent right after the frame with that version', async () => {
    const { clock, hub, read } = stage()
    const viewer = await read()
    await hub.use('r', async ({ broadcasts, timeline }) => {
      broadcasts.receive(noteAfter(timeline.version + 1, timeline.epoch, 'after'))
    })
    await clock.advance(50)
    expect(typesOf(viewer)).toEqual([])
    await Promise.all([hub.act('r', posting('c1', 1, 'A1')), clock.advance(0)])
    expect(typesOf(viewer)).toEqual(['changes', 'broadcast'])
  })

  test('broadcasts are coalesced at the pace of frames, and do not postpone a frame of the room', async () => {
    const { clock, hub, room, read } = stage()
    const viewer = await read()
    let wakes = 0
    viewer.onOwed = () => (wakes += 1)
    for (let ms = 0; ms < 160; ms++) {
      await room.broadcast('note', 'x')
      await clock.advance(1)
    }
    expect(wakes).toBeGreaterThan(8)
    expect(wakes).toBeLessThan(13)
    framesOf(viewer)
    // The state of the room has not changed before, so its first frame is sent at once.
    const before = wakes
    await room.broadcast('note', 'x')
    await hub.act('r', posting('c1', 1, 'A1'))
    expect(wakes).toBe(before + 1)
    expect(typesOf(viewer)).toEqual(['changes', 'broadcast'])
  })

  test('a broadcast that the backend delivers twice is sent once', async () => {
    const { clock, hub, read } = stage()
    const viewer = await read()
    await hub.use('r', async ({ broadcasts, timeline }) => {
      for (const text of ['a', 'b', 'a', 'b']) broadcasts.receive(noteAfter(0, timeline.epoch, text))
    })
    await clock.advance(20)
    expect(notesOf(viewer)).toEqual(['a', 'b'])
  })

  test('broadcasts of two processes with one backend all reach the viewers of both, once each', async () => {
    const backend = memoryBackend()
    const [one, other] = [stage({ backend }), stage({ backend })]
    const viewers = [await one.read(), await other.read()]
    for (let i = 0; i < 3; i++) {
      await one.send(`one ${i}`)
      await other.send(`other ${i}`)
    }
    await one.clock.advance(20)
    const all = ['one 0', 'other 0', 'one 1', 'other 1', 'one 2', 'other 2']
    expect(viewers.map(notesOf)).toEqual([all, all])
  })

  test('a published text that is not a broadcast is ignored', async () => {
    const { hub, clock, read } = stage()
    const viewer = await read()
    await hub.use('r', ({ broadcasts }) => ['', '{', '{}', 'null', '7'].forEach((text) => broadcasts.receive(text)))
    await clock.advance(200)
    expect(typesOf(viewer)).toEqual([])
  })
})

describe('the broadcasts option', () => {
  test.each([
    ['a reserved name', { 'hereabouts:typing': z.string() }, /reserved/],
    ['no name', {}, /names no broadcast/],
    ['an empty name', { '': z.string() }, /1 to 64 visible characters/],
    ['a schema that transforms', { note: z.string().trim() }, /broadcasts\.note/],
    ['no schema', { note: 'string' }, /broadcasts\.note.* must be a zod 4 schema/],
    ['no object', 'note', /must be an object of zod 4 schemas/],
  ])('the broadcasts option refuses %s', (_, wrong, message) => {
    const create = () => createLocationHub({ location: place, broadcasts: wrong as never })
    expect(create).toThrow(LocationError)
    expect(create).toThrow(message)
  })

  test('hello lists the feature broadcasts when the hub has the broadcasts option, and not otherwise', async () => {
    const helloOf = async (options: object) => {
      const { open } = stage(options)
      return (await open()).take()!.event
    }
    expect(await helloOf({})).toMatchObject({ features: ['used', 'broadcasts'] })
    expect(await helloOf({ broadcasts: undefined })).toMatchObject({ features: ['used'] })
  })
})
