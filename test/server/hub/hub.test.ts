import * as z from 'zod'
import { LocationError } from 'hereabouts'
import { createLocationHub, memoryBackend, type Backend, type HubOptions } from 'hereabouts/server'
import { manualClock } from '../../../src/testing/manual-clock.js'
import { describe, expect, test } from 'vitest'
import type { Hub } from '../../../src/server/hub/hub.js'
import type { Subscriber } from '../../../src/server/rooms/subscriber.js'
import { leaving, posting } from '../../support/histories.js'

const place = z.string()

/** A hub with a manual clock, and helpers for its room `r`. */
function stage(options: Partial<HubOptions<typeof place, typeof place>> = {}) {
  const clock = manualClock()
  const hub = createLocationHub({ location: place, profile: place, clock, ...options }) as unknown as Hub
  /** Sends a post, which is answered when the next frame is made. */
  const send = (connectionId: string, seq: number, location: unknown, own: object = {}) =>
    hub.act('r', posting(connectionId, seq, location, own))
  const post = async (...args: Parameters<typeof send>) => {
    const answer = send(...args)
    answer.catch(() => {})
    await clock.advance(16)
    return answer
  }
  const open = (own: Partial<Parameters<typeof hub.subscribe>[1]> = {}, room = 'r') =>
    hub.subscribe(room, {
      connectionId: null,
      memberId: null,
      lastEventId: null,
      expiresAt: null,
      recheck: async () => true,
      ...own,
    })
  /** Opens a stream and takes its first frames. */
  const read = async (own: Parameters<typeof open>[0] = {}) => {
    const viewer = await open(own)
    taken(viewer)
    return viewer
  }
  return { clock, hub, send, post, open, read }
}

/** Takes all pending events of a subscriber. */
function taken(subscriber: Subscriber) {
  const events = []
  for (let frame = subscriber.take(); frame; frame = subscriber.take()) events.push(frame.event)
  return events
}
const typesOf = (subscriber: Subscriber) => taken(subscriber).map((event) => event.type)

describe('fan-out', () => {
  test('the first change after a pause is sent at once, and further changes within 16 ms are coalesced into one frame', async () => {
    const { clock, send, open } = stage()
    const viewer = await open()
    expect(typesOf(viewer)).toEqual(['hello', 'snapshot'])
    await send('c1', 1, 'A1')
    expect(typesOf(viewer)).toEqual(['changes'])
    const answers = Promise.all([send('c1', 2, 'B2'), send('c2', 1, 'B2'), send('c1', 3, 'C3')])
    await clock.advance(15)
    expect(taken(viewer)).toEqual([])
    await clock.advance(1)
    await answers
    const [event, ...rest] = taken(viewer)
    expect(rest).toEqual([])
    expect(event).toMatchObject({
      entered: [{ connectionId: 'c2' }],
      changed: [{ connectionId: 'c1', location: 'C3' }],
    })
  })

  test.each([
    { how: 'a frame that is written at once', isPumped: false, nextMs: 4 * 10 },
    { how: 'a frame that tRPC pulls, up to the next timer', isPumped: true, nextMs: 4 * (10 + 20) },
  ])('the frame interval is four times the duration of the fan-out of $how', async ({ isPumped, nextMs }) => {
    const { clock, send, open } = stage()
    const viewer = await open()
    taken(viewer)
    let frames = 0
    viewer.isPumped = isPumped
    viewer.onOwed = () => {
      frames += taken(viewer).length
      clock.stall(10)
    }
    await send('c1', 1, 'A1')
    // Work after the post was answered counts as part of the fan-out only when tRPC pulls the frames.
    clock.stall(20)
    const answer = send('c1', 2, 'B2')
    await clock.advance(nextMs - 31)
    expect(frames).toBe(1)
    await clock.advance(1)
    await answer
    expect(frames).toBe(2)
  })

  test('the subscribers of a large room are woken in slices of 2,000, and a small room is served between the slices', async () => {
    const clock = manualClock()
    const hub = createLocationHub({ location: place, clock }) as unknown as Hub
    const look = (room: string) =>
      hub.subscribe(room, {
        connectionId: null,
        memberId: null,
        lastEventId: null,
        expiresAt: null,
        recheck: async () => true,
      })
    const crowd = await Promise.all(Array.from({ length: 4_001 }, () => look('huge')))
    const woken = { huge: 0, small: 0 }
    const listen = (subscriber: Subscriber) => {
      taken(subscriber)
      const { id } = subscriber.room
      subscriber.onOwed = () => (woken[id as keyof typeof woken] += taken(subscriber).length)
    }
    crowd.forEach(listen)
    listen(await look('small'))
    await hub.act('huge', posting('c1', 1, 'A1'))
    expect(woken).toEqual({ huge: 2_000, small: 0 })
    await hub.act('small', posting('c2', 1, 'A1'))
    expect(woken).toEqual({ huge: 2_000, small: 1 })
    // One subscriber closes and one opens between two slices.
    crowd.at(-1)!.close()
    listen(await look('huge'))
    const answer = hub.act('huge', posting('c1', 2, 'B2'))
    await clock.advance(0)
    expect(woken.huge).toBe(4_000)
    await clock.advance(16)
    await answer
    for (let i = 0; i < 3; i++) await clock.advance(0)
    expect(woken.huge).toBe(4_000 + 4_001)
  })

  test('waking readers that waited for a compressed frame delays the next frame, and runs in slices of 2,000', async () => {
    const { clock, hub, send, open } = stage()
    const viewer = await open()
    taken(viewer)
    let frames = 0
    viewer.onOwed = () => (frames += taken(viewer).length)
    await send('c1', 1, 'A1')
    const answer = send('c1', 2, 'B2')
    await clock.advance(5)
    const room = await hub.use('r', async (live) => live)
    room.wakeLater([{ wake: () => clock.stall(20) }])
    await clock.advance(4 * 20 - 21)
    expect(frames).toBe(1)
    await clock.advance(1)
    await answer
    expect(frames).toBe(2)
    let woken = 0
    room.wakeLater(Array.from({ length: 2_001 }, () => ({ wake: () => (woken += 1) })))
    expect(woken).toBe(2_000)
    await clock.advance(0)
    expect(woken).toBe(2_001)
  })

  test('a slow consumer has one pending frame, however many changes there are', async () => {
    const { post, open } = stage()
    const [reader, sleeper] = [await open(), await open()]
    expect(typesOf(sleeper)).toEqual(['hello', 'snapshot'])
    for (let seq = 1; seq <= 500; seq++) {
      await post('c1', seq, `place ${seq}`)
      taken(reader)
    }
    await post('c2', 1, 'A1')
    const [frame, ...rest] = taken(sleeper).filter((event) => event.type !== 'beat')
    expect(frame).toMatchObject({ type: 'snapshot', connections: [{ location: 'place 500' }, { location: 'A1' }] })
    expect(rest).toEqual([])
  })

  test('a post that changes nothing is answered `same` and wakes no subscriber', async () => {
    const { post, open } = stage()
    await post('c1', 1, 'A1')
    const viewer = await open()
    taken(viewer)
    let wakes = 0
    viewer.onOwed = () => (wakes += 1)
    expect(await post('c1', 2, 'A1')).toMatchObject({ outcome: 'same', seq: 2 })
    expect(wakes).toBe(0)
  })

  test('the frame interval grows with the duration of the fan-out, up to 250 ms', async () => {
    const { clock, send, open } = stage()
    const viewer = await open()
    const sentAt: number[] = []
    let busyMs = 0
    viewer.onOwed = () => {
      if (typesOf(viewer).includes('beat')) return
      sentAt.push(clock.now())
      clock.stall(busyMs)
    }
    for (busyMs of [0, 0, 20, 20, 20, 100, 100, 100]) {
      let isAnswered = false
      void send('c1', sentAt.length + 1, sentAt.length).then(() => (isAnswered = true))
      while (!isAnswered) await clock.advance(1)
    }
    const gaps = sentAt.slice(1).map((at, i) => at - sentAt[i]!)
    // The interval is four times the duration of the fan-out, at least 16 ms and at most 250 ms.
    expect(gaps).toEqual([16, 16, 80, 80, 80, 250, 250])
  })

  test('when the backend fails, every post is answered `unavailable` and the streams stay open', async () => {
    const memory = memoryBackend()
    let isDown = false
    const backend: Backend = {
      ...memory,
      async open(room, options) {
        const opened = await memory.open(room, options)
        return { ...opened, act: async (actions) => (isDown ? Promise.reject(new Error('down')) : opened.act(actions)) }
      },
    }
    const { send, post, open } = stage({ backend })
    const viewer = await open()
    taken(viewer)
    isDown = true
    const answers = await Promise.allSettled([send('c1', 1, 'A1'), send('c2', 1, 'A1')])
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', cause: { message: 'down' } } })
    isDown = false
    await post('c1', 1, 'A1')
    expect(typesOf(viewer)).toEqual(['changes'])
  })
})

describe('a stream', () => {
  test('a resumed stream begins with hello and the last event id that it accepts, and sends nothing else without a change', async () => {
    const { post, open } = stage()
    await post('c1', 1, 'A1')
    const first = await open()
    expect(first.take()).toMatchObject({
      id: expect.stringMatching(/\.0$/),
      event: { type: 'hello', connectionId: null },
    })
    const { id } = first.take()!
    const second = await open({ lastEventId: id, connectionId: 'c1' })
    expect(second.take()).toMatchObject({ id, event: { type: 'hello', connectionId: 'c1', beatMs: 10_000 } })
    expect(second.take()).toBe(null)
    const forged = await open({ lastEventId: `${id}\ndata: forged` })
    expect(forged.take()!.id).toMatch(/^[\w-]{11}\.0$/)
  })

  test('a stream receives a heartbeat every ten seconds, spread evenly over the streams', async () => {
    const { clock, open } = stage()
    const viewers = await Promise.all(Array.from({ length: 200 }, () => open()))
    viewers.forEach(taken)
    const heardAt = viewers.map(() => [] as number[])
    for (let turn = 0; turn < 300; turn++) {
      await clock.advance(100)
      viewers.forEach((viewer, i) => typesOf(viewer).forEach(() => heardAt[i]!.push(turn)))
    }
    for (const turns of heardAt) {
      expect(turns).toHaveLength(3)
      expect(turns[1]! - turns[0]!).toBe(100)
    }
    // In each slot of 100 ms, fewer than a fifth of the streams are sent their heartbeat.
    for (let slot = 0; slot < 100; slot++) expect(heardAt.filter(([turn]) => turn === slot).length).toBeLessThan(40)
  })

  test('a stream that lags receives its pending frame before a heartbeat', async () => {
    const { clock, post, open } = stage()
    const viewer = await open()
    taken(viewer)
    await clock.advance(10_000)
    await post('c1', 1, 'A1')
    expect(typesOf(viewer)).toEqual(['changes', 'beat'])
  })

  test('a stream that the client closes shortens the lease of its connection to fifteen seconds', async () => {
    const { clock, hub, post, open } = stage()
    await post('c1', 1, 'A1')
    const viewer = await open({ connectionId: 'c1' })
    viewer.close()
    await clock.advance(14_900)
    expect(await hub.room('r').count()).toBe(1)
    await clock.advance(700)
    expect(await hub.room('r').count()).toBe(0)
  })

  test('a stream that one member opened with the key of another, absent member does not shorten the lease of that member when it closes', async () => {
    const { clock, hub, post, read } = stage()
    const thief = await read({ connectionId: 'c1', memberId: 'eve' })
    const own = await read({ connectionId: 'c2', memberId: 'ada' })
    await post('c1', 1, 'A1')
    await post('c2', 1, 'A1')
    thief.close()
    own.close()
    await clock.advance(16_000)
    expect((await hub.room('r').members()).flatMap(({ connections }) => connections)).toMatchObject([
      { connectionId: 'c1' },
    ])
  })

  test('a stream that the server ends does not change the lease of its connection', async () => {
    const { clock, hub, post, open } = stage()
    await post('c1', 1, 'A1', { leaseMs: 60_000 })
    const viewer = await open({ connectionId: 'c1' })
    viewer.end('rotated')
    expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'rotated' })
    viewer.close()
    await clock.advance(30_000)
    expect(await hub.room('r').count()).toBe(1)
  })

  test('a stream whose reader takes no frame within 20 seconds is closed at its next heartbeat', async () => {
    const { clock, hub, open, read } = stage()
    const viewer = await read()
    const untaken = await open()
    await clock.advance(19_999)
    expect(untaken.isClosed).toBe(false)
    await clock.advance(10_001)
    expect(untaken.isClosed).toBe(true)
    expect(viewer.isClosed).toBe(false)
    expect(hub.streams.size).toBe(1)
  })

  test('a stream is ended as `rotated` between eight and ten minutes after it opened', async () => {
    const { clock, hub, read } = stage()
    const viewers = await Promise.all(Array.from({ length: 50 }, () => read()))
    await clock.advance(8 * 60_000 - 100)
    expect(hub.streams.size).toBe(50)
    await clock.advance(2 * 60_000 + 10_100)
    expect(hub.streams.size).toBe(0)
    for (const viewer of viewers) expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'rotated' })
  })

  test('a stream ends when its identity expires', async () => {
    const { clock, hub, open } = stage()
    const viewer = await open({ memberId: 'ada', expiresAt: new Date(clock.date().getTime() + 5_000) })
    await clock.advance(4_999)
    expect(hub.streams.size).toBe(1)
    await clock.advance(1)
    expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'expired' })
    expect(viewer.endedWith).toBe(null)
  })

  test('a stream is authorized again every minute, and ends with `forbidden` when authorize() refuses, not when it fails', async () => {
    const { clock, hub, read } = stage()
    let answer: () => Promise<boolean> = async () => true
    const viewer = await read({ recheck: () => answer() })
    await clock.advance(70_000)
    answer = async () => {
      throw new LocationError('unavailable', 'The app is away.')
    }
    await clock.advance(70_000)
    expect(hub.streams.size).toBe(1)
    answer = async () => false
    await clock.advance(70_000)
    expect(hub.streams.size).toBe(0)
    expect(viewer.endedWith).toMatchObject({ code: 'forbidden' })
  })

  test('a stream ends with the reason `slow` when the lease of its connection expired', async () => {
    const { clock, hub, post, read } = stage()
    const watcher = await read()
    await post('c1', 1, 'A1')
    const viewer = await read({ connectionId: 'c1' })
    await clock.advance(30_500)
    expect(await hub.room('r').count()).toBe(0)
    expect(hub.streams.size).toBe(2)
    await clock.advance(25_100)
    expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'slow' })
    expect(hub.streams.size).toBe(1)
    expect(typesOf(watcher)).not.toContain('bye')
  })

  test('a stream for the connection of another member is refused with `connection-owned`', async () => {
    const { post, open } = stage()
    await post('c1', 1, 'A1')
    await expect(open({ connectionId: 'c1', memberId: 'bob' })).rejects.toMatchObject({ code: 'connection-owned' })
    await expect(open({ connectionId: 'c1', memberId: 'ada' })).resolves.toBeDefined()
  })

  test('a stream above limits.streams is refused until another stream closes', async () => {
    const { open } = stage({ limits: { streams: 2 } })
    await open()
    const second = await open()
    await expect(open()).rejects.toMatchObject({ code: 'unavailable' })
    second.close()
    await expect(open()).resolves.toBeDefined()
  })

  test('a stream receives degraded instead of heartbeats while the backend is unreachable', async () => {
    const memory = memoryBackend()
    let report: (health: 'up' | 'down') => void = () => {}
    const { clock, open } = stage({ backend: { ...memory, onHealth: (listener) => ((report = listener), () => {}) } })
    const viewer = await open()
    taken(viewer)
    report('down')
    await clock.advance(10_000)
    expect(typesOf(viewer)).toEqual(['degraded'])
    report('up')
    await clock.advance(10_000)
    expect(typesOf(viewer)).toEqual(['beat'])
  })
})

describe('a room', () => {
  test('when one room of the backend is unreachable, only the subscribers of that room are sent degraded, and at once', async () => {
    const memory = memoryBackend()
    let report: (health: 'up' | 'down') => void = () => {}
    const backend: Backend = {
      ...memory,
      open(room, options) {
        if (room === 'r') report = options.onHealth!
        return memory.open(room, options)
      },
    }
    const { clock, hub, open } = stage({ backend })
    const viewer = await open()
    const elsewhere = await open({}, 'other')
    taken(viewer)
    taken(elsewhere)
    report('down')
    expect(typesOf(viewer)).toEqual(['degraded'])
    await clock.advance(10_000)
    expect(typesOf(viewer)).toEqual(['degraded'])
    expect(typesOf(elsewhere)).toEqual(['beat'])
    expect(hub.health()).toBe('ready')
    report('up')
    await clock.advance(10_000)
    expect(typesOf(viewer)).toEqual(['beat'])
  })

  test('a room that was only queried is closed again within a second', async () => {
    const memory = memoryBackend()
    const open = new Set<string>()
    const backend: Backend = {
      ...memory,
      async open(room, options) {
        open.add(room)
        const opened = await memory.open(room, options)
        return { ...opened, close: async () => (open.delete(room), opened.close()) }
      },
    }
    const { clock, hub } = stage({ backend })
    for (let i = 0; i < 1_000; i++) expect(await hub.room(`room ${i}`).count()).toBe(0)
    expect(open.size).toBe(1_000)
    await clock.advance(1_000)
    expect(open.size).toBe(0)
  })

  test('a room keeps its epoch for a minute after the last connection left, and then begins a new one', async () => {
    const { clock, hub, post, open } = stage()
    const epochNow = async () => {
      const viewer = await open()
      const [epoch] = viewer.take()!.id.split('.')
      viewer.close()
      return epoch
    }
    await post('c1', 1, 'A1')
    const epoch = await epochNow()
    const gone = hub.act('r', leaving('c1'))
    await clock.advance(59_000)
    await gone
    expect(await epochNow()).toBe(epoch)
    expect(await post('c1', 2, 'A1')).toMatchObject({ outcome: 'left' })
    await clock.advance(61_000)
    expect(await epochNow()).not.toBe(epoch)
    expect(await post('c1', 2, 'A1')).toMatchObject({ outcome: 'applied' })
  })

  test('a room without connections but with an open stream purges its tombstones', async () => {
    const { clock, hub, post, open } = stage()
    await open()
    await post('c1', 1, 'A1')
    const gone = hub.act('r', leaving('c1'))
    await clock.advance(59_000)
    await gone
    expect(await post('c1', 2, 'A1')).toMatchObject({ outcome: 'left' })
    await clock.advance(5 * 60_000)
    expect(await post('c1', 2, 'A1')).toMatchObject({ outcome: 'applied' })
  })

  test('a room counts its members, and lists each with the location and profile of the connection that was used last', async () => {
    const { clock, hub, post } = stage()
    await post('c1', 1, 'A1')
    await post('c2', 1, 'B2', { profile: { json: '"Ada"', value: 'Ada' } })
    await clock.advance(16)
    await hub.room('r').post({ memberId: 'agent', profile: 'Agent', location: 'C3' })
    expect(await hub.room('r').count()).toBe(2)
    const members = await hub.room('r').members()
    const shown = { activity: 'active', at: expect.any(Number) }
    const [c1, c2, agent] = [
      { ...shown, connectionId: 'c1', memberId: 'ada', profile: null, location: 'A1' },
      { ...shown, connectionId: 'c2', memberId: 'ada', profile: 'Ada', location: 'B2' },
      { ...shown, connectionId: expect.any(String), memberId: 'agent', profile: 'Agent', location: 'C3' },
    ]
    const lastActiveAt = expect.any(Date) as Date
    const presence = {}
    // The connection that a member used last gives the location and profile of the member.
    expect(members).toEqual([
      {
        memberId: 'agent',
        profile: 'Agent',
        location: 'C3',
        presence,
        activity: 'active',
        lastActiveAt,
        connections: [agent],
      },
      {
        memberId: 'ada',
        profile: 'Ada',
        location: 'B2',
        presence,
        activity: 'active',
        lastActiveAt,
        connections: [c2, c1],
      },
    ])
    await expect(hub.room('r').post({ memberId: 'agent', location: 7 })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(hub.room('r').post({ memberId: '\u0000', location: 'A1' })).rejects.toMatchObject({
      code: 'bad-input',
    })
    expect(() => hub.room('')).toThrow(LocationError)
  })
})

describe('a member who posts through the hub', () => {
  test('a member who posts through the hub can enter, leave and enter again at once', async () => {
    const { clock, hub, post } = stage()
    const room = hub.room('r')
    const soon = async (done: Promise<unknown>) => (await clock.advance(20), done)
    const here = async () => (await room.members()).map(({ memberId, location }) => `${memberId} ${String(location)}`)
    await post('c1', 1, 'A1')
    for (const place of ['B1', 'B2', 'B3']) {
      await soon(room.post({ memberId: 'agent', location: place }))
      await soon(room.post({ memberId: 'agent', location: `${place}!` }))
      expect(await here()).toEqual([`agent ${place}!`, 'ada A1'])
      await soon(room.leave({ memberId: 'agent' }))
      expect(await here()).toEqual(['ada A1'])
    }
    await soon(room.leave({ memberId: 'nobody' }))
    // hub.room().leave() does not remove the connection of Ada's own client.
    await soon(room.leave({ memberId: 'ada' }))
    expect(await here()).toEqual(['ada A1'])
  })

  test('a member who posts through the hub is rate-limited after entering and leaving 32 times in a minute', async () => {
    const { clock, hub } = stage()
    const room = hub.room('r')
    const again = async () => {
      const posted = room.post({ memberId: 'agent', location: 'A1' }).then(
        () => 'here',
        (error: LocationError) => error.code,
      )
      await clock.advance(600)
      const left = room.leave({ memberId: 'agent' })
      await clock.advance(20)
      return left.then(() => posted)
    }
    for (let times = 0; times < 32; times++) expect(await again()).toBe('here')
    expect(await again()).toBe('rate-limited')
    await clock.advance(61_000)
    expect(await again()).toBe('here')
  })
})

describe('leaves of empty rooms', () => {
  const leave = (hub: Hub, room: string) =>
    hub.act(room, { type: 'leave', connectionId: 'c', memberId: 'ada', seq: 5, graceMs: 0 })

  test('after leaves in 3,000 empty rooms, the newest 1,000 of them stay open, and rooms that had members are kept too', async () => {
    const { clock, hub, post } = stage()
    await post('c1', 1, 'A1')
    const gone = hub.act('r', { type: 'leave', connectionId: 'c1', memberId: 'ada', seq: undefined, graceMs: 0 })
    for (let i = 0; i < 3_000; i += 100) {
      const left = Array.from({ length: 100 }, (_, n) => leave(hub, `room ${i + n}`))
      await clock.advance(50)
      await Promise.all(left)
    }
    await gone
    await clock.advance(200)
    expect(hub.readings().rooms).toBe(1_001)
    const late = (room: string, connectionId: string) => {
      const answer = hub.act(room, posting(connectionId, 4, 'A1'))
      return clock.advance(300).then(() => answer)
    }
    // A post that arrives after its leave does not bring the connection back.
    expect(await late('room 2999', 'c')).toMatchObject({ outcome: 'left' })
    expect(await late('r', 'c1')).toMatchObject({ outcome: 'left' })
    expect(await late('room 0', 'c')).toMatchObject({ outcome: 'applied' })
    await clock.advance(95_000)
    expect(hub.readings().rooms).toBeLessThanOrEqual(2)
  })
})

describe('a process that stalled', () => {
  test('PROTOCOL rule 8: a process that stalled does not expire the leases of connections that could not post meanwhile', async () => {
    const { clock, hub, post } = stage()
    await post('c1', 1, 'A1')
    await clock.advance(5_000)
    clock.stall(45_000)
    await clock.advance(1_000)
    expect(await hub.room('r').count()).toBe(1)
    await clock.advance(23_000)
    expect(await hub.room('r').count()).toBe(1)
    await clock.advance(3_000)
    expect(await hub.room('r').count()).toBe(0)
  })
})

describe('a long heartbeat interval', () => {
  test('a long heartbeat interval does not extend leases', async () => {
    const { clock, hub, post } = stage({ timing: { beatMs: 300_000 } })
    await post('c1', 1, 'A1')
    await clock.advance(29_000)
    expect(await hub.room('r').count()).toBe(1)
    await clock.advance(1_500)
    expect(await hub.room('r').count()).toBe(0)
  })
})

describe('revoke, drain and close', () => {
  test('revoking a member ends the streams that were opened anonymously with the key of a connection of that member', async () => {
    const { hub, post, open } = stage()
    await post('c1', 1, 'A1')
    const [own, watcher] = [await open({ connectionId: 'c1' }), await open()]
    await hub.revoke('ada')
    expect(taken(own).at(-1)).toEqual({ type: 'bye', reason: 'revoked' })
    expect(typesOf(watcher)).not.toContain('bye')
  })

  test.each([
    [undefined, undefined],
    [7, undefined],
    ['', undefined],
    ['ada', 7],
    ['ada', null],
  ])('revoking %j in the room %j, which would match nobody, is refused', async (memberId, room) => {
    const { hub } = stage()
    await expect(hub.revoke(memberId as never, room as never)).rejects.toMatchObject({ code: 'bad-input' })
  })

  test('revoking a member removes their connections from every room and ends their streams with `forbidden`', async () => {
    const { hub, post, open } = stage()
    await post('c1', 1, 'A1')
    const [own, other] = [await open({ memberId: 'ada' }), await open({ memberId: 'bob' })]
    await hub.revoke('ada')
    expect(await hub.room('r').count()).toBe(0)
    expect(taken(own).at(-1)).toEqual({ type: 'bye', reason: 'revoked' })
    expect(own.endedWith).toMatchObject({ code: 'forbidden' })
    expect(hub.streams.size).toBe(1)
    expect(typesOf(other)).toEqual(['hello', 'snapshot'])
  })

  test('a draining hub ends equally many streams, to within one, in each of twenty seconds and refuses new streams', async () => {
    const { clock, hub, open } = stage()
    const viewers = await Promise.all(Array.from({ length: 1_007 }, () => open()))
    const drained = hub.drain()
    await expect(open()).rejects.toMatchObject({ code: 'unavailable' })
    const perSecond: number[] = []
    for (let second = 0; second < 20; second++) {
      const before = hub.streams.size
      await clock.advance(1_000)
      perSecond.push(before - hub.streams.size)
    }
    expect(hub.streams.size).toBe(0)
    expect([Math.min(...perSecond), Math.max(...perSecond)]).toEqual([50, 51])
    await clock.advance(200)
    await drained
    for (const viewer of viewers) expect(taken(viewer).at(-1)).toEqual({ type: 'bye', reason: 'draining' })
  })

  test('a hub with three streams drains within a second', async () => {
    const { clock, hub, open } = stage()
    await Promise.all(Array.from({ length: 3 }, () => open()))
    const drained = hub.drain()
    await clock.advance(600)
    expect(hub.streams.size).toBe(0)
    await clock.advance(200)
    await drained
  })

  test('a post to a closed hub rejects with `closed`', async () => {
    const { hub, post } = stage()
    await post('c1', 1, 'A1')
    await hub.close()
    await hub.close()
    await expect(post('c1', 2, 'A1')).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('a number in limits or timing', () => {
  test.each([
    [{ limits: { locationBytes: NaN } }, 'limits.locationBytes'],
    [{ limits: { streams: -1 } }, 'limits.streams'],
    [{ limits: { postsPerSecond: '30' as never } }, 'limits.postsPerSecond'],
    [{ limits: { locationByte: 1 } as never }, 'limits.locationByte'],
    [{ timing: { beatMs: 0 } }, 'timing.beatMs'],
    [{ timing: { scale: NaN } }, 'timing.scale'],
  ])('an invalid number in limits or timing is refused as `misconfigured`: %j', (options, name) => {
    expect(() => createLocationHub({ location: place, ...options })).toThrow(
      expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(name) }),
    )
  })

  test('a number in limits or timing that is undefined has its default', async () => {
    const { post } = stage({ limits: { roomConnections: undefined }, timing: { leaseMs: undefined } })
    expect(await post('c1', 1, 'A1')).toMatchObject({ outcome: 'applied' })
  })
})

describe('a location schema', () => {
  test.each([
    ['transforms', z.string().transform(Number)],
    ['has a default', z.object({ row: z.number().default(1) })],
    ['is a date', z.date()],
    ['is a bigint', z.bigint()],
    ['is a map', z.map(z.string(), z.string())],
  ])('a location schema that %s is refused as `misconfigured`', (_what, location) => {
    expect(() => createLocationHub({ location: location as never })).toThrow(
      expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining('plain JSON') }),
    )
  })

  test.each([
    ['an open object', z.object({ row: z.number() })],
    ['a strict object', z.strictObject({ row: z.number().optional() })],
    ['a union', z.union([z.string(), z.object({ x: z.number() })])],
    ['any JSON', z.json()],
  ])('a location schema that is %s is accepted', (_what, location) => {
    expect(() => createLocationHub({ location: location as never })).not.toThrow()
  })
})
