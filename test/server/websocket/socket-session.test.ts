import type { IncomingMessage } from 'node:http'
import { initTRPC, TRPCError } from '@trpc/server'
import type { WebSocket } from 'ws'
import { LocationError } from 'hereabouts'
import { describe, expect, test, vi } from 'vitest'
import { silentLogger } from '../../../src/server/options/logger.js'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { connectionParamsIn, SocketContext } from '../../../src/server/websocket/socket-context.js'
import type { SocketEnvironment } from '../../../src/server/websocket/socket-environment.js'
import { SocketSession } from '../../../src/server/websocket/socket-session.js'
import type { SocketWriter } from '../../../src/server/websocket/socket-writer.js'
import { TrpcAnswers } from '../../../src/server/websocket/trpc-answers.js'
import { countingClock } from '../../support/counting-clock.js'

/* One open WebSocket: its context, its caller, and its ends. */

const t = initTRPC.create({ isDev: false })
const router = t.router({ hello: t.procedure.query(() => 'hello') })

function stage({ url = '/trpc' } = {}) {
  const clock = countingClock()
  const state = {
    member: 'ada' as string | null,
    fault: null as Error | null,
    admission: null as Error | null,
    params: [] as unknown[],
    logged: [] as unknown[],
    unsentBytes: 0,
    isOpen: true,
  }
  const done: string[] = []
  const environment = {
    clock,
    timing: defaultTiming,
    limits: defaultLimits,
    logger: { ...silentLogger, error: (...line: unknown[]) => void state.logged.push(line) },
    router,
    answers: new TrpcAnswers(router, undefined),
    isDraining: () => false,
    access: () => ({
      memberIdOf: async () => {
        if (state.fault instanceof LocationError) throw state.fault
        return state.member
      },
    }),
    createContext: ({ info }: { info: { connectionParams: unknown } }) => {
      state.params.push(info.connectionParams)
      if (state.fault instanceof TRPCError) throw state.fault
      return {}
    },
  } as unknown as SocketEnvironment
  const ws = {
    isPaused: false,
    pause: () => (done.push('pause'), (ws.isPaused = true)),
    resume: () => (done.push('resume'), (ws.isPaused = false)),
    ping: () => done.push('ping'),
  }
  const writer = {
    get unsentBytes() {
      return state.unsentBytes
    },
    get isOpen() {
      return state.isOpen
    },
    isFull: false,
    text: (text: string) => void done.push(text),
    close: (code: number) => void done.push(`close ${code}`),
    terminate: () => void done.push('terminate'),
    release: () => void done.push('release'),
    wait() {},
    forget() {},
  } as unknown as SocketWriter
  const session = new SocketSession({
    environment,
    ws: ws as unknown as WebSocket,
    req: { url, headers: {} } as IncomingMessage,
    writer,
    admit: () => {
      if (state.admission) throw state.admission
    },
  })
  const say = (text: string) => session.handle(Buffer.from(text), false)
  const settled = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, state, done, session, say, settled }
}
const closes = (done: string[]) => done.filter((each) => /^(close|terminate)/.test(each))

describe('the caller of a WebSocket', () => {
  test('a WebSocket without a stream is closed with 1008 when its caller becomes another member', async () => {
    const { state, done, session, settled } = stage()
    await settled()
    await session.recheck()
    await session.recheck()
    expect(closes(done)).toEqual([])
    state.member = 'bob'
    await session.recheck()
    expect(closes(done)).toEqual(['close 1008'])
    expect(done.join()).toContain('signed in as somebody else')
  })

  test.each([
    ['unauthorized', ['close 1008']],
    ['forbidden', ['close 1008']],
    ['unavailable', []],
    ['rate-limited', []],
  ] as const)('a WebSocket whose caller cannot be identified, as `%s`, is closed with %j', async (code, closed) => {
    const { state, done, session, settled } = stage()
    await settled()
    state.fault = new LocationError(code, 'no')
    await session.recheck()
    expect(closes(done)).toEqual(closed)
  })

  test.each([
    ['UNAUTHORIZED', ['close 1008']],
    ['FORBIDDEN', ['close 1008']],
    ['INTERNAL_SERVER_ERROR', []],
  ] as const)('a WebSocket whose context fails later with %s is closed with %j', async (code, closed) => {
    const { state, done, session, settled } = stage()
    await settled()
    state.fault = new TRPCError({ code })
    await session.recheck()
    expect(closes(done)).toEqual(closed)
    // The context that worked is kept.
    if (closed.length === 0) await expect(session.context()).resolves.toEqual({})
  })

  test('the context of a WebSocket is created again with the same connection parameters', async () => {
    const { state, session, say, settled } = stage({ url: '/trpc?connectionParams=1' })
    await settled()
    expect(state.params).toEqual([])
    await session.recheck()
    expect(state.params).toEqual([])
    say('{"method":"connectionParams","data":{"token":"x"}}')
    await settled()
    await session.recheck()
    await session.recheck()
    expect(state.params).toEqual([{ token: 'x' }, { token: 'x' }, { token: 'x' }])
  })

  test('a recheck notes its time', async () => {
    const { clock, session, settled } = stage()
    await settled()
    await clock.advance(70_000)
    await session.recheck()
    expect(session.checkedAt).toBe(clock.now())
  })

  test.each([
    ['refused by createContext', { fault: new TRPCError({ code: 'UNAUTHORIZED' }) }, 1008],
    ['whose createContext fails', { fault: new TRPCError({ code: 'INTERNAL_SERVER_ERROR' }) }, 1013],
    ['of an address with too many sockets', { admission: new LocationError('rate-limited', 'too many') }, 1013],
  ])('a WebSocket %s is told why and closed', async (_what, own, code) => {
    const { state, done, say, settled } = stage({ url: '/trpc?connectionParams=1' })
    Object.assign(state, own)
    say('{"method":"connectionParams","data":null}')
    await settled()
    expect(done[0]).toMatch(/^\{"id":null,"error":/)
    expect(closes(done)).toEqual([`close ${code}`])
  })

  test('a WebSocket that closes while its context is created is not admitted', async () => {
    const { state, session, say, settled, done } = stage({ url: '/trpc?connectionParams=1' })
    state.admission = new LocationError('rate-limited', 'too many')
    say('{"method":"connectionParams","data":null}')
    session.close()
    await settled()
    expect(done).toEqual(['release'])
  })
})

describe('the end of a WebSocket', () => {
  test('a WebSocket that drains waits for its calls, at most five seconds, and leaves no timer', async () => {
    const { clock, session, settled, done, say } = stage()
    await settled()
    // A call of the app whose context is known waits for the next turn of the event loop.
    say('{"id":1,"method":"query","params":{"path":"hello"}}')
    session.closeDraining()
    expect([closes(done), clock.pending]).toEqual([[], 1])
    await settled()
    expect(done.join()).toContain('"hello"')
    expect([closes(done), clock.pending]).toEqual([['close 1012'], 0])
    session.closeDraining()
    expect(closes(done)).toHaveLength(1)
  })

  test('a WebSocket that closes while it drains leaves no timer', async () => {
    const { clock, session, settled, done, say } = stage()
    await settled()
    say('{"id":1,"method":"query","params":{"path":"hello"}}')
    session.closeDraining()
    session.close()
    expect([clock.pending, done.at(-1)]).toEqual([0, 'release'])
    await clock.advance(10_000)
    expect(closes(done)).toEqual([])
  })

  test('a WebSocket is closed once, whatever else ends it', async () => {
    const { session, settled, done } = stage()
    await settled()
    session.closeIdle()
    session.closeExpired()
    session.closeDraining()
    session.terminate()
    session.closeLater(new Error('x'))
    expect(closes(done)).toEqual(['close 1000'])
  })

  test('a fault of the server is logged, and destroys the WebSocket', async () => {
    const { session, state, done } = stage()
    const error = new Error('a fault')
    session.fail(error)
    expect(closes(done)).toEqual(['terminate'])
    expect(state.logged).toEqual([['A WebSocket was closed because handling it failed.', { error }]])
  })

  test('a WebSocket that closes is not pinged', () => {
    const { session, state, done } = stage()
    session.ping()
    state.isOpen = false
    session.ping()
    expect(done).toEqual(['ping'])
  })
})

describe('the messages of a WebSocket', () => {
  test('PING is answered with PONG, PONG is not answered, and both count as a sign of life', async () => {
    const { clock, session, done, say, settled } = stage()
    await settled()
    for (const text of ['PING', 'PONG']) {
      await clock.advance(1_000)
      say(text)
      expect(session.receivedAt).toBe(clock.now())
    }
    expect(done).toEqual(['PONG'])
  })

  test('a WebSocket is not read while more than 1 MiB waits for its client, and is read again after that', async () => {
    const { session, state, done, settled } = stage()
    await settled()
    state.unsentBytes = 2 ** 20
    session.regulate()
    expect(done).toEqual([])
    state.unsentBytes += 1
    session.regulate()
    session.regulate()
    expect(done).toEqual(['pause'])
    state.unsentBytes = 0
    session.regulate()
    session.regulate()
    expect(done).toEqual(['pause', 'resume'])
  })

  test('a WebSocket is not read while 64 calls are in progress', async () => {
    const { done, say, settled } = stage()
    await settled()
    const calls = Array.from({ length: 64 }, (_, id) => ({ id, method: 'query', params: { path: 'hello' } }))
    for (const call of calls.slice(1)) say(JSON.stringify(call))
    expect(done).toEqual([])
    say(JSON.stringify(calls[0]))
    expect(done).toEqual(['pause'])
    await settled()
    expect(done.at(-1) === 'resume' || done.includes('resume')).toBe(true)
  })
})

describe('the context of a WebSocket', () => {
  test('the error of reading the parameters or of createContext is the result', async () => {
    const create = (createContext: () => unknown) =>
      new SocketContext({ createContext } as never, {} as never, {} as never, () => new AbortController().signal)
    const readParams = () => connectionParamsIn('[]')
    expect(await create(() => 7).create(readParams)).toMatchObject({ ok: false, error: { code: 'PARSE_ERROR' } })
    expect(await create(() => Promise.reject(new Error('no'))).create()).toMatchObject({ ok: false })
    expect(await create(() => 7).create()).toEqual({ ok: true, value: 7 })
  })

  test('createContext gets the request, the socket and a signal that ends with the socket', async () => {
    const createContext = vi.fn((_options: object) => 7)
    const controller = new AbortController()
    const [req, res] = [{ url: '/trpc' }, { close() {} }]
    const context = new SocketContext({ createContext } as never, req as never, res as never, () => controller.signal)
    await context.create()
    const [[given]] = createContext.mock.calls as unknown as [[{ req: object; res: object; info: { signal: unknown } }]]
    expect([given.req, given.res, given.info.signal]).toEqual([req, res, controller.signal])
    expect(given.req).toBe(req)
  })
})

describe('the answers of tRPC', () => {
  const failing: [string, () => unknown][] = [
    ['throws', () => { throw new Error('no') }],
    ['rejects', () => Promise.reject(new Error('no'))],
  ] // prettier-ignore

  test.each(failing)(
    'an error is answered even if onError %s, and no rejection is unhandled',
    async (_what, onError) => {
      const unhandled = vi.fn()
      process.on('unhandledRejection', unhandled)
      // A mock function would handle the rejection itself.
      const seen: unknown[] = []
      const hear = (about: unknown) => {
        seen.push(about)
        return onError()
      }
      const subject = { type: 'query' as const, path: 'a.b', input: { x: 1 }, ctx: { y: 2 } }
      const req = { url: '/trpc' } as IncomingMessage
      const text = new TrpcAnswers(router, hear).refusal('{"id":1,', new LocationError('forbidden', 'no'), subject, req)
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', unhandled)
      expect(JSON.parse(text)).toMatchObject({ id: 1, error: { message: 'forbidden: no', data: { path: 'a.b' } } })
      expect(seen).toEqual([expect.objectContaining({ ...subject, req })])
      expect(unhandled).not.toHaveBeenCalled()
    },
  )

  test('an error that cannot be formatted is answered as an internal error, without its message', () => {
    const broken = initTRPC.create({
      isDev: false,
      errorFormatter: () => {
        throw new Error('no words')
      },
    })
    const answers = new TrpcAnswers(broken.router({}), undefined)
    const texts = answers.refusals(['{"id":1,', '{"id":2,'], new Error('secret'), { type: 'unknown' }, {} as never)
    for (const [i, text] of texts.entries())
      expect(JSON.parse(text)).toMatchObject({ id: i + 1, error: { code: -32_603, message: 'Internal server error' } })
    expect(texts.join()).not.toContain('secret')
  })
})
