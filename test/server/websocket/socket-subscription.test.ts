import { initTRPC } from '@trpc/server'
import { cellLocation, LocationError } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { describe, expect, test, vi } from 'vitest'
import { RateLimits } from '../../../src/server/access/rate-limits.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import { Hub } from '../../../src/server/hub/hub.js'
import { SocketSubscription, type SubscriptionOwner } from '../../../src/server/websocket/socket-subscription.js'
import { TrpcAnswers } from '../../../src/server/websocket/trpc-answers.js'
import { countingClock } from '../../support/counting-clock.js'

/* One subscription on a WebSocket: its retries, its charges and its ends. */

function stage() {
  const clock = countingClock()
  const hub = createLocationHub({ location: cellLocation, clock })
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub makes a Hub')
  const t = initTRPC.create({ isDev: false })
  const state = { fault: null as LocationError | null, asked: [] as number[], isFull: false }
  const router = t.router(
    createLocationRouter({
      hub,
      procedure: t.procedure,
      clientIp: () => '203.0.113.7',
      identify: () => ({ memberId: 'ada' }),
      authorize() {
        state.asked.push(clock.now())
        if (state.fault) throw state.fault
        return true
      },
    }),
  )
  const texts: string[] = []
  const calls: string[] = []
  const note =
    (name: string) =>
    (...args: unknown[]) =>
      void calls.push(args.length > 0 && name === 'refuse' ? `refuse ${(args[1] as Error).message}` : name)
  const waiting = new Set<unknown>()
  const owner = {
    environment: { clock, timing: defaultTiming, router, answers: new TrpcAnswers(router, undefined) },
    writer: {
      get isFull() {
        return state.isFull
      },
      text: (text: string) => void texts.push(text),
      write: (parts: Uint8Array[]) => (texts.push(Buffer.concat(parts).toString()), 7),
      wait: (source: unknown) => waiting.add(source),
      forget: (source: unknown) => waiting.delete(source),
    },
    context: async () => ({}),
    refuse: note('refuse'),
    ended: note('ended'),
    sendWrapped: note('wrapped'),
    closeLater: note('later'),
    closeExpired: note('expired'),
    closeDraining: note('draining'),
    terminate: note('terminate'),
  } as unknown as SubscriptionOwner
  const subscription = new SocketSubscription(
    { id: 1, prefix: '{"id":1,', path: 'onLocation', input: { room: 'r' } },
    owner,
  )
  const open = async () => {
    const opened = subscription.open()
    await clock.advance(0)
    return opened
  }
  return { clock, hub, state, texts, calls, waiting, subscription, open }
}
type Stage = ReturnType<typeof stage>
const types = (texts: string[]) =>
  texts.flatMap((text) => /"type":"(hello|snapshot|changes|beat|bye)"/.exec(text)?.[1] ?? [])

describe('a subscription that is temporarily refused', () => {
  test('a subscription is retried with growing pauses of at most two seconds, until requestMs is over', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(1)
    const { clock, state, calls, subscription } = stage()
    state.fault = new LocationError('unavailable', 'no')
    void subscription.open()
    await clock.advance(defaultTiming.requestMs)
    random.mockRestore()
    const gaps = state.asked.slice(1).map((at, i) => at - state.asked[i]!)
    expect(gaps).toEqual([250, 500, 1_000, ...Array<number>(gaps.length - 3).fill(2_000)])
    expect(gaps.length).toBe(12)
    expect([calls, clock.pending]).toEqual([['later'], 0])
  })

  test('a subscription that is refused with a time to wait is retried after that time', async () => {
    const { clock, state, subscription } = stage()
    state.fault = new LocationError('rate-limited', 'no', { retryAfterMs: 3_000 })
    void subscription.open()
    await clock.advance(10_000)
    expect(state.asked.map((at) => at - state.asked[0]!)).toEqual([0, 3_000, 6_000, 9_000])
  })

  test('the retries of one subscription are charged once, to the member and to the address', async () => {
    const charged = vi.spyOn(RateLimits.prototype, 'charge')
    const { clock, state, texts, subscription } = stage()
    state.fault = new LocationError('unavailable', 'no')
    void subscription.open()
    await clock.advance(5_000)
    state.fault = null
    await clock.advance(3_000)
    const streams = charged.mock.calls.filter(([action]) => action === 'stream').map(([, who]) => who)
    charged.mockRestore()
    expect(types(texts)).toEqual(['hello', 'snapshot'])
    expect(streams).toEqual([
      { memberId: null, address: '203.0.113.7' },
      { memberId: 'ada', address: null },
    ])
  })

  test.each(['forbidden', 'unauthorized', 'bad-input'] as const)(
    'a subscription that is refused as `%s` is answered at once and not retried',
    async (code) => {
      const { clock, state, calls, open } = stage()
      state.fault = new LocationError(code, 'no')
      await open()
      await clock.advance(30_000)
      expect(calls).toEqual(['ended', `refuse ${code}: no`])
      expect(state.asked).toHaveLength(1)
    },
  )

  test('a subscription that is closed while it waits leaves no timer and asks no more', async () => {
    const { clock, state, calls, subscription } = stage()
    state.fault = new LocationError('unavailable', 'no')
    const opened = subscription.open()
    await clock.advance(100)
    subscription.close()
    await opened
    await clock.advance(30_000)
    expect([state.asked.length, calls, clock.pending]).toEqual([1, [], 0])
  })
})

describe('the end of a subscription', () => {
  const endings: [name: string, end: (staged: Stage) => unknown, calls: string[]][] = [
    ['its client stops it', ({ subscription }) => subscription.stop(), ['ended']],
    ['its socket closes', ({ subscription }) => subscription.close(), []],
    ['the server closes its socket', ({ subscription }) => subscription.endFor('draining'), ['draining']],
    [
      'the member is revoked',
      ({ hub }) => hub.revoke('ada'),
      ['ended', 'refuse You may no longer read this room: ask its owner for access.'],
    ],
    ['the hub drains', ({ hub }) => hub.streams.close(), ['draining']],
    ['the stream ends as slow', ({ hub }) => endAll(hub, 'slow'), ['terminate']],
    ['the stream ends as expired', ({ hub }) => endAll(hub, 'expired'), ['expired']],
    [
      'another stream replaces it',
      ({ hub }) => endAll(hub, 'replaced'),
      ['ended', 'refuse You have too many open streams in this room: this one was replaced.'],
    ],
  ]
  async function endAll(hub: Hub, why: 'slow' | 'expired' | 'replaced') {
    await hub.use('r', (room) => [...room.subscribers].forEach((each) => each.end(why)))
  }

  test.each(endings)('a subscription leaves no stream, timer or waiting source when %s', async (_name, end, calls) => {
    const staged = stage()
    const { hub, open, subscription, waiting } = staged
    await open()
    expect(types(staged.texts)).toEqual(['hello', 'snapshot'])
    await end(staged)
    // A draining, slow or expired stream is released by the socket, which closes.
    if (calls.length !== 1 || calls[0] === 'ended') expect(staged.calls).toEqual(calls)
    else {
      expect(staged.calls[0]).toBe(calls[0])
      subscription.close()
    }
    expect([hub.streams.size, waiting.size]).toEqual([0, 0])
    const { length } = staged.texts
    await hub.use('r', (room) => [...room.subscribers].forEach((each) => each.beat()))
    subscription.flush()
    expect(staged.texts).toHaveLength(length)
  })

  test('a subscription whose stream opens after its end closes that stream', async () => {
    const { hub, clock, texts, subscription } = stage()
    const opened = subscription.open()
    subscription.close()
    await clock.advance(0)
    await opened
    expect([hub.streams.size, texts]).toEqual([0, []])
  })
})

test('a subscription on a full socket waits, and is cut when its member is revoked', async () => {
  const { hub, state, calls, texts, waiting, subscription, open } = stage()
  state.isFull = true
  await open()
  expect([types(texts), waiting.size]).toEqual([[], 1])
  state.isFull = false
  subscription.flush()
  expect(types(texts)).toEqual(['hello', 'snapshot'])
  state.isFull = true
  await hub.revoke('ada')
  expect(calls).toEqual(['terminate'])
})

test('the frames and bytes of a subscription are counted', async () => {
  const { hub, open } = stage()
  await open()
  expect(hub.readings()).toMatchObject({ frames: 2, bytes: 14 })
})
