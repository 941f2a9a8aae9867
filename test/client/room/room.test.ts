import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { CellLocation, Connection, LocationError } from 'hereabouts'
import { createLocationClient, type Room, type RoomEvents } from 'hereabouts/client'
import type { LocationServer } from 'hereabouts/server/standalone'
import { describe, expect, test } from 'vitest'
import { Digest } from '../../../src/shared/digest.js'
import { manualClock } from '../../../src/testing/manual-clock.js'
import {
  Refusal,
  scriptedServer,
  type ScriptedServer,
  type ScriptedStream,
} from '../../support/servers/scripted-server.js'
import type { CellTypes } from '../../support/cell-types.js'

type Router = LocationServer<CellTypes>['router']
type AnyRoom = Room<CellTypes>

const cell = (row: number, col = 0): CellLocation => ({ sheet: 'Q3', row, col })
const one = (
  connectionId: string,
  at = 1_000_000,
  location: CellLocation | null = null,
  memberId = `m-${connectionId}`,
) =>
  ({ connectionId, memberId, profile: { name: memberId }, location, activity: 'active', at }) as Connection<CellTypes>
const id = (version: number, epoch = 'epochepoch1') => `${epoch}.${version}`
const digestOf = (...connections: { connectionId: string; at: number }[]) => {
  const digest = new Digest()
  connections.forEach((connection) => digest.toggle(connection))
  return digest.toString()
}

/** Resolves when `holds` returns true. Calls it at each change of the room, without a timer. */
const until = (room: Pick<AnyRoom, 'subscribe'>, holds: () => boolean) =>
  new Promise<void>((resolve) => {
    let stop = () => {}
    stop = room.subscribe(() => {
      if (!holds()) return
      resolve()
      queueMicrotask(() => stop())
    })
  })
const statusIs = (room: Pick<AnyRoom, 'subscribe' | 'status'>, state: AnyRoom['status']['state']) =>
  until(room, () => room.status.state === state)

/** Waits a few turns of the event loop, after which bytes written by one end have arrived at the other. */
const delivered = async () => {
  for (let i = 0; i < 20; i++) await turn()
}

// Loads the code of streams in advance: loaded on demand, it would take real time while the manual clock stands still.
await import('../../../src/client/connection/subscription.js')

function clientOf(server: ScriptedServer, options: { headers?: () => Record<string, string> } = {}) {
  const clock = manualClock()
  const thrown: unknown[] = []
  const client = createLocationClient<Router>({
    url: server.url,
    clock,
    logger: { error: (error) => thrown.push(error) },
    ...options,
  })
  return { client, clock, thrown, [Symbol.asyncDispose]: () => client.close() }
}

/** Joins a room that is live and shows `others`. */
async function liveRoom(server: ScriptedServer, ...others: Connection<CellTypes>[]) {
  const { client, clock, thrown } = clientOf(server)
  const room = client.join('r')
  const news: [string, object][] = []
  for (const kind of ['entered', 'moved', 'updated', 'left', 'lost', 'restored', 'error'] as const)
    room.on(kind, (event) => news.push([kind, event]))
  const stream = await server.stream()
  await server.post()
  await room.flush()
  stream.hello()
  stream.snapshot(id(1), ...others)
  await room.ready()
  /** Advances the time until the next stream opens. */
  const nextStream = async () => {
    await until(room, () => !['live', 'degraded'].includes(room.status.state))
    const { status } = room
    await clock.advance(status.state === 'waiting' ? status.retryAt.getTime() + 1 - clock.date().getTime() : 500)
    return server.stream()
  }
  return { room, stream, clock, news, thrown, client, nextStream, [Symbol.asyncDispose]: () => client.close() }
}

const names = (room: Pick<AnyRoom, 'others'>) => room.others.map(({ memberId }) => memberId)

describe('joining a room', () => {
  test('joining a room without a location posts `null` at once, before the stream opens', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    opened.client.join('r')
    const post = await server.post()
    expect(post).toMatchObject({ room: 'r', location: null, seq: 1 })
    expect(post.connectionKey).toMatch(/^[\w-]{22}$/)
    expect(post.memberKey).toMatch(/^[\w-]{22}$/)
  })

  test('two posts in the task in which a room is joined are sent as one post with the join', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.join('r', { profile: { name: 'Ada' } })
    room.post(cell(1))
    room.post(cell(2))
    expect(await server.post()).toMatchObject({ location: cell(2), profile: { name: 'Ada' }, seq: 1 })
    await room.flush()
    expect(server.waiting().posts).toBe(0)
  })

  test('joining a room twice shares one connection, which is closed when the last handle leaves', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.join('r')
    const again = opened.client.join('r', { location: cell(1) })
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 1 })
    await again.flush()
    expect(again.getSnapshot()).toBe(room.getSnapshot())
    expect(server.waiting().posts).toBe(0)
    await again.leave()
    expect(room.status.state).not.toBe('closed')
    await room.leave()
    expect(room.status).toEqual({ state: 'closed', reason: 'left', error: null })
    expect(await server.leave()).toMatchObject({ room: 'r', seq: 1 })
    opened.client.join('r')
    expect((await server.post()).connectionKey).toBeDefined()
  })

  test('joining a room twice gives two handles, and repeated leaves of one handle count once', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const controller = new AbortController()
    const room = opened.client.join('r')
    const hasty = opened.client.join('r', { signal: controller.signal })
    await room.flush()
    controller.abort()
    await hasty.leave()
    await hasty.leave()
    expect(room.status.state).not.toBe('closed')
    expect(server.waiting().leaves).toBe(0)
    await room.leave()
    expect(room.status.state).toBe('closed')
    // `leave()` of an old handle does not close the room for a handle that joined later.
    const next = opened.client.join('r')
    await Promise.all([hasty.leave(), room.leave()])
    expect(next.status.state).not.toBe('closed')
  })

  test('room ids that differ only in their Unicode normal form join the same room', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.join('e\u0301')
    const again = opened.client.join('é')
    expect((await server.stream()).input.room).toBe('é')
    await Promise.all([room.leave(), again.leave()])
  })

  test.each(['', 'a\u0000b', '\ud800', 'x'.repeat(129), undefined as never, null as never, 5 as never])(
    'joining or watching a room with the invalid id %j throws `bad-input` and sends nothing',
    async (id) => {
      await using server = await scriptedServer()
      await using opened = clientOf(server)
      const badInput = expect.objectContaining({
        code: 'bad-input',
        message: 'A room id must be 1 to 128 visible characters.',
      }) as LocationError
      expect(() => opened.client.join(id)).toThrow(badInput)
      expect(() => opened.client.watch(id)).toThrow(badInput)
      await delivered()
      expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
    },
  )

  test('a client whose `headers` function returns undefined posts and opens a stream without own headers', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server, { headers: () => undefined as never })
    opened.client.join('r')
    await server.stream()
    await server.post()
  })

  test('a joined room calls `headers` for each request, and the URL of its stream contains no secret but the connectionKey', async () => {
    await using server = await scriptedServer()
    let asked = 0
    await using opened = clientOf(server, { headers: () => ({ authorization: `Bearer ${++asked}` }) })
    const room = opened.client.join('r')
    const first = await server.stream()
    const post = await server.post()
    expect(first.headers.authorization).toMatch(/^Bearer [12]$/)
    expect(first.url).not.toContain('Bearer')
    expect(first.url).not.toContain(post.memberKey)
    expect(first.input).toEqual({ room: 'r', connectionKey: post.connectionKey })
    first.hello()
    first.snapshot(id(1))
    await statusIs(room, 'live')
    first.cut()
    await until(room, () => room.status.state !== 'live')
    await opened.clock.advance(30_000)
    expect((await server.stream()).headers.authorization).toMatch(/^Bearer [3-9]$/)
  })

  test('aborting the `signal` of a join leaves the room', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const controller = new AbortController()
    const room = opened.client.join('r', { signal: controller.signal })
    await room.flush()
    controller.abort()
    await server.leave()
    expect(room.status).toEqual({ state: 'closed', reason: 'left', error: null })
  })

  test('a joined room removes its listener from the abort `signal` when it is left and when the client is closed', async () => {
    await using server = await scriptedServer()
    const opened = clientOf(server)
    const { signal } = new AbortController()
    const listens = () => getEventListeners(signal, 'abort').length
    const one = opened.client.join('r', { signal })
    const two = opened.client.join('r', { signal })
    opened.client.watch('s', { signal })
    expect(listens()).toBe(3)
    await one.leave()
    expect(listens()).toBe(2)
    await two.leave()
    expect(listens()).toBe(1)
    await opened.client.close()
    expect(listens()).toBe(0)
    // A join with an aborted signal leaves the room at once.
    await using other = clientOf(server)
    expect(other.client.join('t', { signal: AbortSignal.abort() }).status.state).toBe('closed')
  })

  test('a room joined with a server-rendered snapshot shows it at once and resumes the stream from its event id', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const initial = { id: id(5), event: { type: 'snapshot' as const, connections: [one('ada')] } }
    const room = opened.client.join('r', { initial })
    expect(names(room)).toEqual(['m-ada'])
    await room.ready()
    expect((await server.stream()).input.lastEventId).toBe(id(5))
  })

  test('a watched room has no methods that post', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    for (const method of ['post', 'flush', 'update']) expect(method in room).toBe(false)
  })

  test('a watched room sends no post and no leave, also after a heartbeat', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    const stream = await server.stream()
    expect(stream.input).toEqual({ room: 'r' })
    stream.event(id(0), { type: 'hello', protocol: 1, connectionId: null, beatMs: 10_000, leaseMs: 30_000, postMs: 50 })
    stream.snapshot(id(1), one('ada'))
    await room.ready()
    stream.beat(id(1), 1, digestOf(one('ada')))
    await delivered()
    await room.leave()
    expect(room.self).toBeNull()
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  })
})

describe('the end of a stream', () => {
  const ends: [string, (stream: ScriptedStream) => void][] = [
    ['cut', (stream) => stream.cut()],
    ['cut in the middle of an event', (stream) => (stream.write('data: {"type":"cha'), setImmediate(stream.cut))],
    ['ended', (stream) => stream.end()],
    ['ended by a `return` event', (stream) => stream.write('event: return\ndata: \n\n\n')],
    ['closed by a `bye`', (stream) => stream.event(id(1), { type: 'bye', reason: 'draining' })],
    ['told that the server is full', (stream) => stream.error('SERVICE_UNAVAILABLE', 503, 'unavailable: Draining.')],
  ]
  test.each(ends)('after a stream was %s, the next stream resumes from the last event id', async (_, end) => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    end(live.stream)
    const next = await live.nextStream()
    await live.stream.closed
    expect(next.input.lastEventId).toBe(id(1))
    next.hello(id(1))
    await statusIs(live.room, 'live')
    expect(names(live.room)).toEqual(['m-ada'])
    expect(live.news).toEqual([])
    expect(server.waiting().streams).toBe(0)
  })

  test('a stream without a byte for 25 seconds is reopened, and each byte restarts that time', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    await live.clock.advance(24_000)
    live.stream.write('event: ping\ndata: \n\n\n')
    await delivered()
    await live.clock.advance(24_000)
    expect(live.room.status.state).toBe('live')
    await live.clock.advance(1_000)
    expect(live.room.status.state).not.toBe('live')
    await live.stream.closed
    expect((await live.nextStream()).input.lastEventId).toBe(id(1))
  })

  test('a stream without a byte for 2.5 heartbeat intervals of its `hello` counts as ended', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    ;(await server.stream()).hello(id(0), { beatMs: 1000 })
    await statusIs(room, 'live')
    await opened.clock.advance(2_499)
    expect(room.status.state).toBe('live')
    await opened.clock.advance(1)
    expect(room.status.state).not.toBe('live')
  })

  test('a stream request without a response is retried', { timeout: 20_000 }, async () => {
    await using server = await scriptedServer()
    server.answers.status = 0
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    for (let seconds = 0; seconds < 60 && room.status.state !== 'waiting'; seconds++) {
      await delivered()
      await opened.clock.advance(1_000)
    }
    expect(room.status.state).toBe('waiting')
    server.answers.status = 200
    let isBack = false
    const back = server.stream().then(() => (isBack = true))
    for (let seconds = 0; seconds < 120 && !isBack; seconds++) {
      await opened.clock.advance(1_000)
      await delivered()
    }
    await back
  })

  test.each([503, 429, 404, 500])(
    'a stream request that is answered with HTTP status %i is retried within 0.5 s',
    async (status) => {
      await using server = await scriptedServer()
      server.answers.status = status
      await using opened = clientOf(server)
      const room = opened.client.watch('r')
      await statusIs(room, 'waiting')
      expect(room.status).toMatchObject({ attempt: 1, error: { name: 'LocationError' } })
      server.answers.status = 200
      await opened.clock.advance(500)
      await server.stream()
    },
  )

  test('a stream that was live for a heartbeat interval and then ends is reported as `connecting`, without an error', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    await live.clock.advance(10_000)
    live.stream.end()
    await until(live.room, () => live.room.status.state !== 'live')
    expect(live.room.status).toEqual({ state: 'connecting' })
  })

  test('`retry()` reopens a stream at once while the room waits', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    live.stream.cut()
    await statusIs(live.room, 'waiting')
    live.room.retry()
    await server.stream()
  })
})

describe('an interruption of the connection', () => {
  test('an interruption of less than five seconds emits no event', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello(id(1))
    await statusIs(live.room, 'live')
    await live.clock.advance(5_000)
    expect(live.news).toEqual([])
    expect(live.room.others[0]?.connections[0]?.stale).toBe(false)
  })

  test('an interruption of five seconds emits `lost`, and other members are shown as stale until `restored`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)))
    const since = live.clock.date()
    server.answers.status = 503
    server.answers.poll = () => Promise.reject(new Error('No call passes.'))
    live.stream.cut()
    await statusIs(live.room, 'waiting')
    await live.clock.advance(4_999)
    expect(live.news).toEqual([])
    await live.clock.advance(1)
    // The delay of the next attempt is random, so that attempt may have begun already.
    const state = expect.stringMatching(/^(waiting|connecting)$/) as string
    expect(live.news).toMatchObject([['lost', { since, status: { state } }]])
    expect(live.room.others).toMatchObject([{ location: cell(1), connections: [{ stale: true }] }])
    expect(live.room.membersAt(cell(1))).toHaveLength(1)
    server.answers.status = 200
    live.room.retry()
    ;(await server.stream()).hello(id(1))
    await statusIs(live.room, 'live')
    const awayMs = live.clock.date().getTime() - since.getTime()
    expect(live.news.slice(1)).toEqual([['restored', { since, awayMs }]])
    expect(live.room.others[0]?.connections[0]?.stale).toBe(false)
  })

  test.each([3_600_000, -3_600_000])(
    'after the wall clock was set by %i ms, as after a sleep, `retryAt` and `since` are times of that clock',
    async (stepMs) => {
      await using server = await scriptedServer()
      await using live = await liveRoom(server, one('ada', 1, cell(1)))
      live.clock.step(stepMs)
      const since = live.clock.date()
      server.answers.status = 503
      live.stream.cut()
      await statusIs(live.room, 'waiting')
      const { status } = live.room
      const waitMs = status.state === 'waiting' ? status.retryAt.getTime() - since.getTime() : NaN
      expect(waitMs).toBeGreaterThanOrEqual(0)
      expect(waitMs).toBeLessThan(60_000)
      live.clock.step(stepMs)
      await live.clock.advance(5_000)
      expect(live.news).toMatchObject([['lost', { since: new Date(since.getTime() + stepMs) }]])
    },
  )

  test('a room that was left emits no `lost`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    await live.room.leave()
    await live.clock.advance(60_000)
    expect(live.news).toEqual([])
  })

  test('after an interruption, missed events have `caughtUp: true` and later events `caughtUp: false`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello(id(1))
    next.event(id(2), { type: 'changes', from: id(1), changed: [{ connectionId: 'ada', at: 2, location: cell(2) }] })
    next.event(id(3), { type: 'changes', from: id(2), changed: [{ connectionId: 'ada', at: 3, location: cell(3) }] })
    await until(live.room, () => live.room.membersAt(cell(3)).length === 1)
    await delivered()
    expect(live.news).toMatchObject([
      ['moved', { current: cell(2), caughtUp: true }],
      ['moved', { current: cell(3), caughtUp: false }],
    ])
  })

  test('after an interruption without missed events, a later move has `caughtUp: false`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello(id(1))
    await statusIs(live.room, 'live')
    await live.clock.advance(250)
    next.event(id(2), { type: 'changes', from: id(1), changed: [{ connectionId: 'ada', at: 2, location: cell(2) }] })
    await until(live.room, () => live.room.membersAt(cell(2)).length === 1)
    await delivered()
    expect(live.news).toMatchObject([['moved', { caughtUp: false }]])
  })

  test('after an interruption, missed events that arrive slowly still have `caughtUp: true`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello(id(1))
    await statusIs(live.room, 'live')
    const moved = { type: 'changes', from: id(1), changed: [{ connectionId: 'ada', at: 2, location: cell(2) }] }
    const frame = `data: ${JSON.stringify(moved)}\nid: ${id(2)}\n\n\n`
    for (let at = 0; at < frame.length; at += 20) {
      await live.clock.advance(200)
      next.write(frame.slice(at, at + 20))
      await delivered()
    }
    expect(live.news).toMatchObject([['moved', { caughtUp: true }]])
  })

  test('when a server that cannot resume sends its snapshot late, the moves in it have `caughtUp: true`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello('epochepoch1.0')
    await statusIs(live.room, 'live')
    await live.clock.advance(10_000)
    next.snapshot(id(2), one('ada', 2, cell(2)))
    next.event(id(3), { type: 'changes', from: id(2), changed: [{ connectionId: 'ada', at: 3, location: cell(3) }] })
    await until(live.room, () => live.room.membersAt(cell(3)).length === 1)
    await delivered()
    expect(live.news.filter(([kind]) => kind === 'moved')).toMatchObject([
      ['moved', { current: cell(2), caughtUp: true }],
      ['moved', { current: cell(3), caughtUp: false }],
    ])
  })

  test("the status is `degraded` from the server's `degraded` event until its next heartbeat", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.event(id(1), { type: 'degraded', reason: 'backend' })
    await statusIs(live.room, 'degraded')
    live.stream.beat(id(1), 1, digestOf(one('ada')))
    await statusIs(live.room, 'live')
    expect(names(live.room)).toEqual(['m-ada'])
    expect(live.news).toEqual([])
  })

  test('a room reports `misconfigured` with the URL when the server answers 404 there', async () => {
    await using server = await scriptedServer()
    server.answers.status = 404
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    await statusIs(room, 'waiting')
    expect(room.status).toMatchObject({
      error: {
        code: 'misconfigured',
        message: `No Hereabouts router answered at ${server.url}. Check the tRPC URL, such as /trpc, and the path.`,
        cause: { code: 404 },
      },
    })
  })
})

describe('the detection of missed frames', () => {
  test("changes that do not start at the view's event id make the client request a snapshot, until it gets one", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.event(id(3), { type: 'changes', from: id(2), entered: [one('bob')] })
    await live.stream.closed
    const next = await live.nextStream()
    expect(next.input.lastEventId).toBeUndefined()
    next.hello()
    next.event(id(3), { type: 'degraded', reason: 'backend' })
    await statusIs(live.room, 'live')
    next.cut()
    const third = await live.nextStream()
    expect(third.input.lastEventId).toBeUndefined()
    third.hello()
    third.snapshot(id(3), one('ada'), one('bob'))
    await until(live.room, () => live.room.others.length === 2)
    expect(live.news).toMatchObject([['entered', { member: { memberId: 'm-bob' } }]])
  })

  test("a heartbeat with another digest than the view's makes the client request a snapshot, once in six heartbeat intervals", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.beat(id(1), 2, digestOf(one('ada'), one('bob')))
    const next = await live.nextStream()
    expect(next.input.lastEventId).toBeUndefined()
    next.hello()
    next.snapshot(id(1), one('ada'))
    next.beat(id(1), 2, digestOf(one('ada'), one('bob')))
    await statusIs(live.room, 'live')
    await delivered()
    expect(live.room.status.state).toBe('live')
    expect(server.waiting().streams).toBe(0)
  })

  test('a heartbeat with the digest of the view keeps the stream', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.beat(id(1), 1, digestOf(one('ada')))
    await delivered()
    expect(live.room.status.state).toBe('live')
  })
})

describe('refused streams', () => {
  test.each([
    ['FORBIDDEN', 403, 'forbidden: You may not read this room.', 'forbidden'],
    ['BAD_REQUEST', 400, 'bad-input: A room id must be visible.', 'bad-input'],
    ['NOT_FOUND', 404, 'No such procedure', 'bad-input'],
  ])('a stream refused with %s closes the room with the reason of the error', async (code, status, message, reason) => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    const errors: Error[] = []
    room.on('error', ({ error }) => errors.push(error))
    const ready = room.ready()
    ;(await server.stream()).error(code, status, message)
    await expect(ready).rejects.toMatchObject({ name: 'LocationError', code: reason })
    expect(room.status).toMatchObject({ state: 'closed', reason, error: { code: reason } })
    expect(errors).toMatchObject([{ code: reason }])
    room.retry()
    const next = await server.stream()
    next.hello()
    next.snapshot(id(1))
    await room.ready()
  })

  test('a stream refused with UNAUTHORIZED is retried once with new headers, and a second refusal closes the room', async () => {
    await using server = await scriptedServer()
    let token = 'old'
    await using opened = clientOf(server, { headers: () => ({ authorization: token }) })
    const room = opened.client.watch('r')
    const first = await server.stream()
    token = 'new'
    first.error('UNAUTHORIZED', 401, 'unauthorized: Sign in.')
    await until(room, () => room.status.state === 'connecting')
    await delivered()
    await opened.clock.advance(0)
    const second = await server.stream()
    expect(second.headers.authorization).toBe('new')
    second.error('UNAUTHORIZED', 401, 'unauthorized: Sign in.')
    await statusIs(room, 'closed')
    expect(room.status).toMatchObject({ state: 'closed', reason: 'unauthorized', error: { message: 'Sign in.' } })
  })

  test('a stream refused because another member owns the connection is retried with a new connection key', async () => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.join('r')
    const first = await server.stream()
    await server.post()
    await room.flush()
    first.error('FORBIDDEN', 403, 'connection-owned: Make a new connectionKey.')
    await delivered()
    await opened.clock.advance(50)
    const post = await server.post()
    const second = await server.stream()
    expect(post).toMatchObject({ seq: 1, connectionKey: second.input.connectionKey })
    expect(second.input.connectionKey).not.toBe(first.input.connectionKey)
  })

  test.each([
    ['at once', (stream: ScriptedStream) => stream.error('FORBIDDEN', 403, 'forbidden: You may not read this room.')],
    [
      'after it was live',
      (stream: ScriptedStream) => {
        stream.hello()
        stream.snapshot(id(1))
        stream.error('FORBIDDEN', 403, 'forbidden: You may no longer read this room.')
      },
    ],
  ])('a stream refused with FORBIDDEN %s closes the room, and no timer reopens it', async (_, refuse) => {
    await using server = await scriptedServer()
    await using opened = clientOf(server)
    const room = opened.client.watch('r')
    refuse(await server.stream())
    await statusIs(room, 'closed')
    await opened.clock.advance(600_000)
    expect(room.status).toMatchObject({ state: 'closed', reason: 'forbidden' })
    expect(server.waiting().streams).toBe(0)
    expect(server.polls()).toBe(0)
  })

  test.each([
    ['is accepted', () => ({})],
    ['is accepted for another member, who signed in here', () => ({ memberId: 'm-eve' })],
    ['is of a connection that has left', () => ({ outcome: 'left' as const })],
    [
      'is refused',
      () => {
        throw new Refusal('FORBIDDEN', 403, 'forbidden: You may not post here.')
      },
    ],
    [
      'is refused because another member owns the connection',
      () => {
        throw new Refusal('FORBIDDEN', 403, 'connection-owned: Make a new connectionKey.')
      },
    ],
  ])('a room closed by a refused stream stays closed until `retry()` when a later post %s', async (_, answer) => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    live.stream.error('FORBIDDEN', 403, 'forbidden: You may no longer read this room.')
    await statusIs(live.room, 'closed')
    server.answers.post = ({ seq = 0 }) => {
      // The answer below is for the first attempt only; a further attempt is accepted.
      server.answers.post = post
      return { outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq, ...answer() }
    }
    await live.clock.advance(50)
    live.room.post(cell(1))
    await server.post()
    await delivered()
    await live.clock.advance(60_000)
    await delivered()
    expect(live.room.status).toMatchObject({ state: 'closed', reason: 'forbidden' })
    expect(server.waiting().streams).toBe(0)
    live.room.retry()
    const next = await server.stream()
    next.hello()
    next.snapshot(id(2))
    await statusIs(live.room, 'live')
  })

  test('`bye: revoked` closes the room with the reason `forbidden`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    live.stream.event(id(1), { type: 'bye', reason: 'revoked' })
    await statusIs(live.room, 'closed')
    expect(live.room.status).toMatchObject({ state: 'closed', reason: 'forbidden', error: { code: 'forbidden' } })
  })
})

describe('posts', () => {
  test('one post is in flight, only the newest waits, and posts are sent at least `postMs` apart', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    let answer = () => {}
    server.answers.post = ({ seq = 0 }) =>
      new Promise((resolve) => {
        answer = () => resolve({ outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq })
      })
    await live.clock.advance(50)
    live.room.post(cell(1))
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 2 })
    live.room.post(cell(2))
    live.room.post(cell(3))
    await delivered()
    expect(server.waiting().posts).toBe(0)
    answer()
    await delivered()
    expect(server.waiting().posts).toBe(0)
    await live.clock.advance(50)
    expect(await server.post()).toMatchObject({ location: cell(3), seq: 3 })
    answer()
    await live.room.flush()
  })

  test('posts that change nothing are not sent', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    live.room.post(null)
    live.room.update({})
    await live.room.flush()
    await live.clock.advance(100)
    expect(server.waiting().posts).toBe(0)
  })

  test('a posted location is shown as our own at once, before the server answers', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(7)))
    live.room.post(cell(7))
    expect(live.room.self).toMatchObject({ memberId: 'm-me', location: cell(7) })
    expect(
      live.room
        .membersAt(cell(7))
        .map(({ memberId }) => memberId)
        .sort(),
    ).toEqual(['m-ada', 'm-me'])
  })

  test('posts that get no answer are retried with the same seq', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = () => Promise.reject(new Error('cut'))
    await live.clock.advance(50)
    live.room.post(cell(1))
    expect(await server.post()).toMatchObject({ seq: 2 })
    server.answers.post = post
    await delivered()
    await live.clock.advance(500)
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 2 })
    await live.room.flush()
  })

  test('posts that hang time out, so that newer ones can be sent', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = () => new Promise(() => {})
    await live.clock.advance(50)
    live.room.post(cell(1))
    await server.post()
    live.room.post(cell(2))
    server.answers.post = post
    await live.clock.advance(20_000)
    await delivered()
    await live.clock.advance(500)
    expect(await server.post()).toMatchObject({ location: cell(2), seq: 3 })
  })

  test('a refused post is dropped, `flush` rejects and an `error` event gives the reason', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = () => {
      throw new Refusal('BAD_REQUEST', 400, 'bad-input: col must be at most 16383.')
    }
    await live.clock.advance(50)
    live.room.post(cell(1, 99_999))
    await expect(live.room.flush()).rejects.toMatchObject({ code: 'bad-input', message: 'col must be at most 16383.' })
    expect(live.news).toMatchObject([['error', { error: { code: 'bad-input' } }]])
    expect(live.room.self).toMatchObject({ location: null })
    server.answers.post = post
    await server.post()
    live.room.post(cell(1))
    await live.clock.advance(50)
    expect(await server.post()).toMatchObject({ location: cell(1) })
    await live.room.flush()
  })

  test('posts over a rate limit wait for the retry delay that the server sends', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = () => {
      throw new Refusal('TOO_MANY_REQUESTS', 429, 'rate-limited: Post again in 7000 ms.')
    }
    await live.clock.advance(50)
    live.room.post(cell(1))
    await server.post()
    server.answers.post = post
    await delivered()
    await live.clock.advance(6_999)
    expect(server.waiting().posts).toBe(0)
    await live.clock.advance(1)
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 2 })
  })

  test('when the server answers that the connection has left, post and stream are sent again with a new connection key', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = () => ({ outcome: 'left', connectionId: 'me', memberId: 'm-me', seq: 1 })
    await live.clock.advance(50)
    live.room.post(cell(1))
    const old = await server.post()
    server.answers.post = post
    const next = await server.stream()
    expect(next.input.connectionKey).not.toBe(old.connectionKey)
    await live.clock.advance(50)
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 1, connectionKey: next.input.connectionKey })
  })

  test('after a change of the connection key, answers to posts with the old key are ignored', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const answers: (() => void)[] = []
    server.answers.post = ({ seq = 0 }) =>
      new Promise((resolve) => {
        answers.push(() => resolve({ outcome: 'applied', connectionId: 'me', memberId: 'm-me', seq }))
      })
    await live.clock.advance(50)
    live.room.post(cell(1))
    const old = await server.post()
    let flushed = false
    const flush = live.room.flush().then(() => (flushed = true))
    live.stream.error('FORBIDDEN', 403, 'connection-owned: Make a new connectionKey.')
    await live.stream.closed
    await live.clock.advance(50)
    const post = await server.post()
    expect(post).toMatchObject({ location: cell(1), seq: 1 })
    expect(post.connectionKey).not.toBe(old.connectionKey)
    answers[0]!()
    await delivered()
    expect(flushed).toBe(false)
    answers[1]!()
    await flush
  })

  test('a posted value that JSON cannot represent is reported by an `error` event and by `flush`, and `post` does not throw', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const circular: { itself?: object } = {}
    circular.itself = circular
    const badInput = expect.objectContaining({
      code: expect.stringMatching(/^(bad-input|too-large)$/) as string,
    }) as LocationError
    const mistakes = [
      () => live.room.post(cell(NaN)),
      () => live.room.post(undefined as never),
      () => live.room.post(circular as never),
      // `slice` cuts the emoji in half and leaves a lone surrogate.
      () => live.room.update({ profile: { name: 'Ada 🎉'.slice(0, 5) } }),
    ]
    for (const mistake of mistakes) {
      live.news.length = 0
      mistake()
      expect(live.news).toEqual([])
      await expect(live.room.flush()).rejects.toEqual(badInput)
      expect(live.news).toEqual([['error', { error: badInput }]])
    }
    live.room.post(cell(3))
    await live.clock.advance(50)
    expect((await server.post()).location).toEqual(cell(3))
  })
})

describe('a heartbeat', () => {
  const beat = (stream: ScriptedStream) => stream.beat(id(1), 0, digestOf())

  test('a heartbeat makes the client repeat its last post, unless a post was acknowledged since the previous heartbeat', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    await live.clock.advance(50)
    live.room.post(cell(1))
    await server.post()
    await live.room.flush()
    await live.clock.advance(10_000)
    beat(live.stream)
    await delivered()
    expect(server.waiting().posts).toBe(0)
    beat(live.stream)
    expect(await server.post()).toMatchObject({ location: cell(1), seq: 2 })
  })

  test('a heartbeat whose renewal is answered `expired` makes the client post again', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const { post } = server.answers
    server.answers.post = ({ seq = 0 }) => ({ outcome: 'expired', connectionId: 'me', memberId: 'm-me', seq })
    await live.clock.advance(10_000)
    beat(live.stream)
    beat(live.stream)
    expect(await server.post()).toMatchObject({ seq: 1 })
    server.answers.post = post
    await delivered()
    await live.clock.advance(50)
    expect(await server.post()).toMatchObject({ seq: 2 })
  })

  test('the `hello` of a new stream makes the client renew its lease without a heartbeat', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    live.stream.cut()
    const next = await live.nextStream()
    next.hello(id(1))
    await statusIs(live.room, 'live')
    await live.clock.advance(50)
    expect(await server.post()).toMatchObject({ seq: 1 })
  })
})

describe('the other members', () => {
  test("`entered`, `moved`, `updated` and `left` are emitted for another member's changes, in order", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    const { stream, room, news } = live
    stream.event(id(2), { type: 'changes', from: id(1), entered: [one('bob', 2, cell(1))] })
    stream.event(id(3), { type: 'changes', from: id(2), changed: [{ connectionId: 'bob', at: 3, location: cell(2) }] })
    stream.event(id(4), {
      type: 'changes',
      from: id(3),
      changed: [{ connectionId: 'bob', at: 4, profile: { name: 'Robert' } }],
    })
    stream.event(id(5), { type: 'changes', from: id(4), left: [{ connectionId: 'bob', at: 5, reason: 'lost' }] })
    await until(room, () => room.others.length === 2)
    await until(room, () => room.others.every(({ memberId }) => memberId !== 'm-bob'))
    await delivered()
    expect(news).toMatchObject([
      ['entered', { member: { memberId: 'm-bob' }, current: cell(1) }],
      ['moved', { previous: cell(1), current: cell(2) }],
      [
        'updated',
        { changed: ['profile'], previous: { profile: { name: 'm-bob' } }, current: { profile: { name: 'Robert' } } },
      ],
      ['left', { previous: cell(2), reason: 'lost', member: { profile: { name: 'Robert' } } }],
    ])
  })

  test("`updated` is emitted when only another member's activity changes", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.event(id(2), {
      type: 'changes',
      from: id(1),
      changed: [{ connectionId: 'ada', at: 2, activity: 'idle' }],
    })
    await until(live.room, () => live.room.others[0]?.activity === 'idle')
    await delivered()
    expect(live.news).toMatchObject([
      ['updated', { changed: ['activity'], previous: { activity: 'active' }, current: { activity: 'idle' } }],
    ])
  })

  test("another member's change from one tab to another emits no event", async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('tab-1', 1, cell(1), 'ada'))
    live.stream.event(id(2), { type: 'changes', from: id(1), entered: [one('tab-2', 2, cell(1), 'ada')] })
    live.stream.event(id(3), {
      type: 'changes',
      from: id(2),
      left: [{ connectionId: 'tab-1', at: 3, reason: 'left' }],
    })
    await until(live.room, () => live.room.others[0]?.connections[0]?.connectionId === 'tab-2')
    await delivered()
    expect(live.room.others[0]?.connections).toHaveLength(1)
    expect(live.news).toEqual([])
  })

  test('`others` does not include our own other tab, which is a second connection of `self`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('me', 1, null, 'm-me'))
    live.stream.event(id(2), { type: 'changes', from: id(1), entered: [one('tab-2', 2, cell(1), 'm-me')] })
    await until(live.room, () => live.room.self?.connections.length === 2)
    expect(live.room.self?.location).toEqual(cell(1))
    expect(live.room.others).toEqual([])
    expect(live.news).toEqual([])
    live.room.post(cell(5))
    expect(live.room.self).toMatchObject({ location: cell(5), connections: [{ connectionId: 'me' }, {}] })
  })

  test('members that a restarted server lacks are stale for a lease and a heartbeat interval, and only then emit `left`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'), one('bob'))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello('epochepoch2.0')
    next.snapshot(id(9, 'epochepoch2'), one('ada', 9_000_000))
    await until(live.room, () => live.room.others.some(({ connections }) => connections[0]?.stale))
    expect(names(live.room).sort()).toEqual(['m-ada', 'm-bob'])
    expect(live.news).toEqual([])
    const left = () => live.news.filter(([kind]) => kind === 'left')
    await live.clock.advance(39_000)
    expect(left()).toEqual([])
    await live.clock.advance(1_000)
    expect(names(live.room)).toEqual(['m-ada'])
    expect(left()).toMatchObject([['left', { member: { memberId: 'm-bob' }, reason: 'lost' }]])
  })

  test('members that a restarted server lacks disappear after a lease and a heartbeat interval, also when another snapshot arrives', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'), one('bob'))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello('epochepoch2.0')
    next.snapshot(id(9, 'epochepoch2'), one('ada', 9_000_000))
    await until(live.room, () => live.room.others.some(({ connections }) => connections[0]?.stale))
    await live.clock.advance(15_000)
    next.snapshot(id(10, 'epochepoch2'), one('ada', 10_000_000, cell(7)))
    await until(live.room, () => live.room.membersAt(cell(7)).length > 0)
    await live.clock.advance(25_000)
    expect(names(live.room)).toEqual(['m-ada'])
  })

  test('a room that was left emits no `left` for the members that were shown', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada'))
    live.stream.cut()
    const next = await live.nextStream()
    next.hello('epochepoch2.0')
    next.snapshot(id(9, 'epochepoch2'))
    await until(live.room, () => live.room.others.some(({ connections }) => connections[0]?.stale))
    await live.room.leave()
    await live.clock.advance(10_000)
    expect(live.news).toEqual([])
  })

  test('other members that did not change keep their object identity', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server, one('ada', 1, cell(1)), one('bob', 1, cell(2)))
    const [ada, bob] = live.room.others
    const before = live.room.getSnapshot()
    const [atOne, atTwo] = [live.room.membersAt(cell(1)), live.room.membersAt(cell(2))]
    expect(live.room.getSnapshot()).toBe(before)
    live.stream.event(id(2), {
      type: 'changes',
      from: id(1),
      changed: [{ connectionId: 'bob', at: 2, location: cell(3) }],
    })
    await until(live.room, () => live.room.getSnapshot() !== before)
    expect(live.room.others[0]).toBe(ada)
    expect(live.room.others[1]).not.toBe(bob)
    expect(live.room.membersAt(cell(1))).toBe(atOne)
    expect(live.room.membersAt(cell(2))).not.toBe(atTwo)
    expect(live.room.membersAt(cell(3))).toEqual([live.room.others[1]])
  })

  test('a listener that throws is reported, and the other listeners and the view are not affected', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    live.room.on('entered', () => {
      throw new Error('mine')
    })
    const entered: RoomEvents<CellTypes>['entered'][] = []
    live.room.on('entered', (event) => entered.push(event))
    live.stream.event(id(2), { type: 'changes', from: id(1), entered: [one('bob')] })
    await until(live.room, () => live.room.others.length === 1)
    await delivered()
    expect(entered).toHaveLength(1)
    expect(live.thrown).toMatchObject([{ message: 'mine' }])
  })
})

describe('leaving a room', () => {
  test('leaving a room sends one leave request, closes the stream and rejects a pending `flush`', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    server.answers.post = () => new Promise(() => {})
    await live.clock.advance(50)
    live.room.post(cell(1))
    const flushed = live.room.flush()
    const left = live.room.leave()
    await expect(flushed).rejects.toMatchObject({ code: 'closed' })
    await left
    await live.stream.closed
    expect(await server.leave()).toEqual({
      room: 'r',
      connectionKey: live.stream.input.connectionKey,
      seq: 1,
    })
    await live.room.leave()
    expect(server.waiting().leaves).toBe(0)
  })

  test('`leave()` resolves when the server cannot be reached', async () => {
    const server = await scriptedServer()
    const live = await liveRoom(server)
    await server[Symbol.asyncDispose]()
    await live.room.leave()
    expect(live.room.status).toEqual({ state: 'closed', reason: 'left', error: null })
  })

  test('a closed client cannot join a room', async () => {
    await using server = await scriptedServer()
    const { client } = clientOf(server)
    await client.close()
    expect(() => client.join('r')).toThrow(expect.objectContaining({ code: 'closed' }) as LocationError)
  })
})

describe('a sign-in as another member', () => {
  test('the first post that is answered for another member closes the stream of the previous member and opens one new stream', async () => {
    await using server = await scriptedServer()
    await using live = await liveRoom(server)
    const postAs = async (memberId: string, row: number) => {
      server.answers.post = ({ seq = 0 }) => ({ outcome: 'applied', connectionId: 'me', memberId, seq })
      await live.clock.advance(50)
      live.room.post(cell(row))
      await live.room.flush()
      await live.clock.advance(1_000)
      await delivered()
      expect(live.room.self?.memberId).toBe(memberId)
    }
    await postAs('m-me', 1)
    expect(server.waiting().streams).toBe(0)
    await postAs('m-eve', 2)
    await live.stream.closed
    const next = await server.stream()
    next.hello()
    next.snapshot(id(2))
    await postAs('m-eve', 3)
    expect([live.room.status.state, server.waiting().streams]).toEqual(['live', 0])
  })
})
