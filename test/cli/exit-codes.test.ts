import { LocationError, type LocationErrorCode } from 'hereabouts'
import { manualClock } from 'hereabouts/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { exitCode, Failure, failureOf } from '../../src/cli/failure.js'
import { aborted, bounded, eitherOf, interruption, pause } from '../../src/cli/interruption.js'
import { main } from '../../src/cli/main.js'
import { arrival, departure, farewell } from '../../src/cli/session.js'
import { mutate, query } from '../../src/cli/target.js'
import { countedClock } from '../support/counted-clock.js'
import { deferred, MemoryRefusal, memoryServer, settled } from '../support/servers/memory-server.js'

/* The command line in this process, with a server without a network. As processes: cli.test.ts. */

const url = 'http://host/trpc'
const target = { url, header: { authorization: 'token' }, timeout: 3 }
const key = 'A'.repeat(22)

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let known: Map<string, unknown[]>
let written: string[]
beforeEach(() => {
  known = new Map(signals.map((signal) => [signal, process.listeners(signal)]))
  written = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      written.push(String(text))
      return true
    })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  process.stdout.removeAllListeners('error')
  for (const signal of signals)
    for (const listener of process.listeners(signal))
      if (!known.get(signal)!.includes(listener)) process.off(signal, listener)
})

describe('the exit codes of the command line', () => {
  const codes: Record<LocationErrorCode, number> = {
    'bad-input': 1,
    'too-large': 1,
    'rate-limited': 1,
    unauthorized: 1,
    forbidden: 1,
    'connection-owned': 1,
    'room-full': 1,
    unavailable: 3,
    network: 3,
    closed: 1,
    misconfigured: 1,
  }
  test.each(Object.entries(codes))('an error `%s` ends the process with exit code %i', (code, expected) => {
    const error = new LocationError(code as LocationErrorCode, 'A sentence.')
    const failure = failureOf(error, url)
    expect([failure.exitCode, failure.cause]).toEqual([expected, error])
    expect(failure.message).toMatch(code === 'network' ? /No server answers at http:\/\/host\/trpc/ : /^A sentence\.$/)
  })

  test('the exit codes are those that the help lists', () => {
    expect(exitCode).toEqual({ done: 0, refused: 1, usage: 2, unreachable: 3, killed: 130 })
  })

  test('any other error ends the process with exit code 1, and a Failure with its own', () => {
    expect(failureOf(new Error('x'), url)).toMatchObject({ exitCode: 1, message: 'x' })
    expect(failureOf('text', url)).toMatchObject({ exitCode: 1, message: 'text' })
    const failure = new Failure(2, 'usage')
    expect(failureOf(failure, url)).toBe(failure)
  })

  test.each([
    [['--help'], 0],
    [['--version'], 0],
    [['walk'], 2],
    [['watch'], 2],
    [['post', '--room', 'r', '--location', 'null'], 3],
  ])('`hereabouts %j` exits with %i', async (args, code) => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
    expect(await main(args, manualClock())).toBe(code)
    expect(written.join('')).not.toBe('')
  })
})

describe('a direct call to a server', () => {
  const answering = (status: number, body: unknown) => {
    const calls: [string, RequestInit][] = []
    vi.stubGlobal('fetch', async (to: string, init: RequestInit) => {
      calls.push([to, init])
      return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status })
    })
    return calls
  }

  test('a direct call has the address, the headers and the input that were given, and the timeout as its limit', async () => {
    const limits: number[] = []
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      limits.push(ms)
      return new AbortController().signal
    })
    const calls = answering(200, { result: { data: { ok: true } } })
    expect(await mutate(target, 'postLocation', { room: 'r' })).toEqual({ ok: true })
    expect(await query({ ...target, url: `${url}/`, path: 'app' }, 'getLocations', { room: 'é' })).toEqual({ ok: true })
    const [[postUrl, post], [getUrl, get]] = calls as [(typeof calls)[0], (typeof calls)[0]]
    expect([postUrl, post.method, post.body]).toEqual([`${url}/postLocation`, 'POST', '{"room":"r"}'])
    expect(post.headers).toEqual({ 'content-type': 'application/json', authorization: 'token' })
    expect(getUrl).toBe(`${url}/app.getLocations?input=%7B%22room%22%3A%22%C3%A9%22%7D`)
    expect([get.headers, get.method]).toEqual([{ authorization: 'token' }, undefined])
    expect(limits).toEqual([3_000, 3_000])
    for (const [, { signal }] of calls) expect(signal).toBeInstanceOf(AbortSignal)
  })

  test('a server that accepts and never answers is given up at the timeout', async () => {
    const controller = new AbortController()
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(controller.signal)
    vi.stubGlobal(
      'fetch',
      (_: string, { signal }: RequestInit) =>
        new Promise((_resolve, reject) => signal!.addEventListener('abort', () => reject(new Error('aborted')))),
    )
    const calls = [mutate(target, 'postLocation', {}), query(target, 'getLocations', {})]
    controller.abort()
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'network' })
  })

  test.each<[string, number, unknown, object]>([
    [
      'a refusal of our server',
      400,
      { error: { message: 'forbidden: No.', data: { code: 'X' } } },
      { code: 'forbidden', message: 'No.' },
    ],
    [
      'a message of the app',
      400,
      { error: { message: 'Not you.', data: { code: 'X' } } },
      { code: 'bad-input', message: 'Not you.' },
    ],
    [
      'an error of the app',
      500,
      { error: { message: 'Oh.', data: { code: 'X' } } },
      { code: 'unavailable', message: 'Oh.' },
    ],
    [
      'a time in a field',
      429,
      { error: { message: 'rate-limited: Wait.', data: { code: 'X', retryAfterMs: 70 } } },
      { retryAfterMs: 70 },
    ],
    [
      'a time in the message',
      429,
      { error: { message: 'rate-limited: Try again in 80 ms.', data: { code: 'X' } } },
      { retryAfterMs: 80 },
    ],
    [
      'no time',
      400,
      { error: { message: 'bad-input: Within 80 ms of it.', data: { code: 'X' } } },
      { retryAfterMs: undefined },
    ],
    [
      'an unknown procedure',
      404,
      { error: { message: 'No procedure found', data: { code: 'NOT_FOUND' } } },
      { code: 'bad-input' },
    ],
    [
      'a 404 of another server',
      404,
      { error: { message: 'Gone.' } },
      { exitCode: 1, message: expect.stringContaining('not as a location server') },
    ],
    ['a page', 200, '<h1>Hi</h1>', { exitCode: 1, message: expect.stringContaining('not as a location server') }],
    ['a bad gateway', 502, '<h1>Bad</h1>', { code: 'unavailable', message: `${url} answers 502: try again later.` }],
  ])('an answer with %s is told apart', async (_, status, body, expected) => {
    answering(status, body)
    await expect(mutate(target, 'postLocation', {})).rejects.toMatchObject(expected)
  })
})

describe('`hereabouts broadcast`', () => {
  const broadcast = async (...args: string[]) => {
    const server = memoryServer()
    server.answers.call = () => ({ outcome: 'sent' })
    vi.stubGlobal('fetch', server.fetch)
    const run = () => main(['broadcast', 'r', 'wave', ...args, '--url', url, '--json'], manualClock())
    return { server, run, procedures: () => server.requests.map(({ procedure }) => procedure) }
  }

  test('a broadcast enters the room, sends and leaves, with one key and as the last one to speak', async () => {
    const { server, run, procedures } = await broadcast('{"a":1}', '--to', 'ada', '--name', 'Bo')
    expect(await run()).toBe(0)
    expect(procedures()).toEqual(['postLocation', 'broadcastToRoom', 'leaveRoom'])
    const [post, sent, leave] = server.requests.map(({ input }) => input as Record<string, unknown>)
    expect(post).toMatchObject({ room: 'r', location: null, profile: { name: 'Bo' }, activeAgoMs: 86_400_000 })
    expect(sent).toEqual({
      room: 'r',
      connectionKey: post!['connectionKey'],
      name: 'wave',
      payload: { a: 1 },
      to: 'ada',
    })
    expect(leave).toEqual({ room: 'r', connectionKey: post!['connectionKey'] })
    expect(written.join('')).toMatch(/"type":"sent".*"broadcast":"wave"/)
  })

  test('a broadcast with a key neither enters nor leaves', async () => {
    const { server, run, procedures } = await broadcast('--key', key)
    expect(await run()).toBe(0)
    expect([procedures(), server.requests[0]!.input]).toMatchObject([
      ['broadcastToRoom'],
      { connectionKey: key, payload: null },
    ])
  })

  test.each<[string, () => object, RegExp]>([
    [
      'that is refused',
      () => {
        throw new MemoryRefusal('too-large: No.', 413)
      },
      /No\./,
    ],
    ['of a connection that is not in the room', () => ({ outcome: 'absent' }), /not in the room/],
    [
      'to a server without broadcasts',
      () => {
        throw new MemoryRefusal('No procedure found on path "x"', 404, { code: 'NOT_FOUND' })
      },
      /has no broadcasts/,
    ],
  ])('a broadcast %s exits with 1 and its reason, and nobody stays in the room', async (_, call, said) => {
    const { server, run, procedures } = await broadcast()
    server.answers.call = call
    server.answers.leave = () => {
      throw new MemoryRefusal('unavailable: Later.', 503)
    }
    expect(await run()).toBe(1)
    expect(procedures().at(-1)).toBe('leaveRoom')
    expect(written.join('')).toMatch(said)
  })
})

describe('signals and times of a command', () => {
  test('the first signal aborts, an echo of it is ignored, and a later one ends the process', async () => {
    const clock = manualClock()
    const exits: number[] = []
    vi.spyOn(process, 'exit').mockImplementation(((code: number) => void exits.push(code)) as never)
    const signal = interruption(clock)
    process.emit('SIGINT')
    expect(signal.aborted).toBe(true)
    await clock.advance(250)
    process.emit('SIGTERM')
    expect(exits).toEqual([])
    await clock.advance(1)
    process.emit('SIGHUP')
    expect(exits).toEqual([130])
  })

  test('a pause ends after its time or with its signal, and leaves neither timer nor listener', async () => {
    const clock = countedClock()
    const controller = new AbortController()
    const ended: string[] = []
    void pause(100, controller.signal, clock).then(() => ended.push('time'))
    await clock.advance(100)
    void pause(100, controller.signal, clock).then(() => ended.push('signal'))
    controller.abort()
    await settled()
    void pause(100, controller.signal, clock).then(() => ended.push('at once'))
    await settled()
    expect([ended, clock.pending]).toEqual([['time', 'signal', 'at once'], 0])
  })

  test('a bounded signal aborts after its seconds or with the other signal, and cancels its timer then', async () => {
    const clock = countedClock()
    const controller = new AbortController()
    expect(bounded(controller.signal, undefined, clock)).toBe(controller.signal)
    const [short, long] = [bounded(controller.signal, 2, clock), bounded(controller.signal, 9, clock)]
    await clock.advance(1_999)
    expect(short.aborted).toBe(false)
    await clock.advance(1)
    expect([short.aborted, long.aborted]).toEqual([true, false])
    controller.abort()
    expect([long.aborted, clock.pending]).toEqual([true, 0])
  })

  test('a signal of several aborts with any of them, and waiting for an aborted one ends at once', async () => {
    const [one, two] = [new AbortController(), new AbortController()]
    const either = eitherOf(one.signal, two.signal)
    two.abort()
    expect(either.aborted).toBe(true)
    await aborted(either)
    const waiting = aborted(one.signal)
    one.abort()
    await waiting
  })
})

describe('the end of a command', () => {
  test('a command waits for its clients to leave, for a second at most', async () => {
    const clock = countedClock()
    const closing = deferred<void>()
    let closes = 0
    const client = { close: () => (closes++, closing.promise) }
    let over = false
    void farewell([client, client] as never, clock).then(() => (over = true))
    await clock.advance(999)
    expect([closes, over]).toEqual([2, false])
    await clock.advance(1)
    await settled()
    expect(over).toBe(true)
    over = false
    closing.resolve()
    await farewell([client] as never, clock)
  })
})

describe('the arrival in a room', () => {
  /** A room whose status the test sets. */
  function roomOf() {
    const ready = deferred<void>()
    const listeners = new Set<(change: object) => void>()
    const room = {
      status: { state: 'connecting' } as object,
      ready: () => ready.promise,
      on(event: string, listener: (change: object) => void) {
        if (event === 'status') listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const becomes = (status: object) => {
      room.status = status
      listeners.forEach((listen) => listen({ current: status }))
    }
    const clock = countedClock()
    const controller = new AbortController()
    const presence = { room, target, signal: controller.signal, clock } as never
    return { ready, listeners, becomes, clock, controller, presence, arrived: () => arrival(presence) }
  }
  const waiting = (code: LocationErrorCode) => ({
    state: 'waiting',
    error: new LocationError(code, `Because of ${code}.`),
  })

  test('a room that is loaded ends the wait, and no timer or listener stays', async () => {
    const { ready, arrived, clock, listeners } = roomOf()
    const over = arrived()
    ready.resolve()
    await over
    expect([clock.pending, listeners.size]).toEqual([0, 0])
  })

  test('an interruption ends the wait', async () => {
    const { arrived, controller, clock } = roomOf()
    const over = arrived()
    controller.abort()
    await over
    expect(clock.pending).toBe(0)
  })

  test('a server that is silent for the timeout ends the command with exit code 3', async () => {
    const { arrived, clock, listeners } = roomOf()
    const over = arrived().catch((failure: unknown) => failure)
    await clock.advance(2_999)
    expect(listeners.size).toBe(1)
    await clock.advance(1)
    expect(await over).toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('did not answer within 3 s') as string,
    })
    expect([clock.pending, listeners.size]).toEqual([0, 0])
  })

  test('the last error is the reason of the timeout', async () => {
    const { arrived, becomes, clock } = roomOf()
    const over = arrived().catch((failure: unknown) => failure)
    becomes(waiting('unavailable'))
    await clock.advance(3_000)
    expect(await over).toMatchObject({ exitCode: 3, message: 'Because of unavailable.' })
  })

  test.each<[LocationErrorCode, boolean]>([
    ['network', false],
    ['unavailable', false],
    ['rate-limited', false],
    ['unauthorized', false],
    ['connection-owned', false],
    ['misconfigured', true],
    ['bad-input', true],
    ['forbidden', true],
  ])('an attempt that failed with `%s` ends the command at once: %s', async (code, ends) => {
    const { arrived, becomes } = roomOf()
    let failure: unknown
    void arrived().catch((thrown: unknown) => (failure = thrown))
    becomes(waiting(code))
    await settled()
    expect(failure !== undefined).toBe(ends)
  })

  test('a room that is refused ends the command with its reason', async () => {
    const { ready, arrived } = roomOf()
    const over = arrived()
    ready.reject(new LocationError('forbidden', 'No.'))
    await expect(over).rejects.toMatchObject({ exitCode: 1, message: 'No.' })
  })

  test('a departure ends with the signal, and its listener, too', async () => {
    const { presence, controller, listeners } = roomOf()
    const over = departure(presence)
    controller.abort()
    await over
    expect(listeners.size).toBe(0)
  })
})
