import { describe, expect, test, vi } from 'vitest'
import { defaultLimits } from '../../../src/server/options/limits.js'
import { defaultTiming } from '../../../src/server/options/timing.js'
import type { SocketEnvironment } from '../../../src/server/websocket/socket-environment.js'
import { SocketRegistry } from '../../../src/server/websocket/socket-registry.js'
import type { SocketSession } from '../../../src/server/websocket/socket-session.js'
import { countingClock } from '../../support/counting-clock.js'

const { beatMs, recheckMs } = defaultTiming

function stage() {
  const clock = countingClock()
  const state = { isDraining: false, address: '2001:db8:0:1::/64' as string | null }
  const environment = {
    clock,
    timing: defaultTiming,
    limits: { ...defaultLimits, addressStreams: 2 },
    isDraining: () => state.isDraining,
    access: () => ({ addressOf: () => state.address }),
  } as unknown as SocketEnvironment
  const registry = new SocketRegistry(environment)
  /** Adds a session, and records what the registry does with it. */
  const add = (own: object = {}) => {
    const done: string[] = []
    const now = clock.now()
    const note = (name: string) => () => void done.push(name)
    const session = {
      done,
      receivedAt: now,
      activeAt: now,
      checkedAt: now,
      isIdle: false,
      hasStreams: true,
      hasCalls: false,
      ping: note('ping'),
      terminate: note('terminate'),
      closeIdle: note('idle'),
      closeDraining: note('draining'),
      destroy: note('destroy'),
      fail: note('fail'),
      async recheck() {
        done.push('recheck')
        session.checkedAt = clock.now()
      },
      ...own,
    }
    registry.add(session as unknown as SocketSession)
    return session
  }
  const remove = (session: object) => registry.delete(session as SocketSession)
  const admit = (session: object) => registry.admit(session as SocketSession, {})
  return { clock, state, registry, add, remove, admit }
}

describe('the checks of sockets', () => {
  test('a socket is looked after once in each heartbeat interval, again and again', async () => {
    const { clock, add } = stage()
    const session = add({ receivedAt: 0 })
    Object.defineProperty(session, 'receivedAt', { get: () => clock.now() - 2 * beatMs })
    await clock.advance(5 * beatMs)
    expect(session.done).toEqual(Array(5).fill('ping'))
  })

  test('the timer of the checks runs while a socket is open, and starts again with the next one', async () => {
    const { clock, add, remove } = stage()
    for (let round = 0; round < 3; round++) {
      const [one, other] = [add(), add()]
      expect(clock.pending).toBe(1)
      await clock.advance(beatMs)
      remove(one)
      expect(clock.pending).toBe(1)
      remove(other)
      expect(clock.pending).toBe(0)
      const silent = add({ receivedAt: -1e9 })
      await clock.advance(beatMs)
      expect(silent.done[0]).toBe('terminate')
      remove(silent)
    }
  })

  test.each([
    ['heard of within two intervals', { ago: 2 * beatMs - 1 }, []],
    ['silent for two intervals', { ago: 2 * beatMs }, ['ping']],
    ['silent for almost four intervals', { ago: 4 * beatMs - 1 }, ['ping']],
    ['silent for four intervals', { ago: 4 * beatMs }, ['terminate']],
    ['idle for almost three intervals', { idleFor: 3 * beatMs - 1 }, []],
    ['idle for three intervals', { idleFor: 3 * beatMs }, ['idle']],
    ['active, with nothing to do for three intervals', { activeFor: 3 * beatMs }, []],
    ['checked within recheckMs', { checked: recheckMs - 1 }, []],
    ['not checked for recheckMs', { checked: recheckMs }, ['recheck']],
    ['silent and not checked', { ago: 3 * beatMs, checked: recheckMs }, ['ping', 'recheck']],
    ['on a draining hub without streams', { drains: true, streams: false }, ['draining']],
    ['on a draining hub with streams', { drains: true, streams: true }, []],
  ])('a socket that is %s is treated so', async (_what, about, done) => {
    const {
      ago,
      idleFor,
      activeFor,
      checked,
      drains,
      streams = true,
    } = about as Record<string, number> & { drains?: boolean; streams?: boolean }
    const { clock, state, add } = stage()
    const session = add()
    const before = (ms = 0) => ({ get: () => clock.now() - ms, set() {} })
    Object.defineProperties(session, {
      receivedAt: before(ago),
      activeAt: before(idleFor ?? activeFor),
      checkedAt: before(checked),
    })
    session.isIdle = idleFor !== undefined
    session.hasStreams = streams
    state.isDraining = drains === true
    await clock.advance(beatMs)
    expect(session.done).toEqual(done)
  })

  test('a socket whose recheck fails is closed as failed', async () => {
    const { clock, add } = stage()
    const session = add({ checkedAt: -1e9, recheck: () => Promise.reject(new Error('no')) })
    await clock.advance(beatMs)
    expect(session.done).toEqual(['fail'])
  })
})

describe('the sockets of an address', () => {
  test('an address has at most addressStreams sockets, and another when one has closed', () => {
    const { add, admit, remove } = stage()
    const sessions = [add(), add(), add()]
    admit(sessions[0]!)
    admit(sessions[1]!)
    expect(() => admit(sessions[2]!)).toThrow(expect.objectContaining({ code: 'rate-limited' }))
    remove(sessions[2]!)
    const late = add()
    expect(() => admit(late)).toThrow('the limit')
    remove(sessions[0]!)
    expect(() => admit(late)).not.toThrow()
  })

  test('a /48 network has sixteen times as many sockets, and they count only while they are open', () => {
    const { state, add, admit, remove } = stage()
    const open = (i: number) => {
      state.address = `2001:db8:0:${i.toString(16)}::/64`
      const session = add()
      admit(session)
      return session
    }
    const all = Array.from({ length: 32 }, (_, i) => open(i))
    expect(() => open(99)).toThrow('the limit')
    for (const session of all) remove(session)
    for (let i = 0; i < 32; i++) open(i)
  })

  test('sockets of loopback and private addresses are not counted', () => {
    const { state, add, admit } = stage()
    state.address = null
    for (let i = 0; i < 10; i++) expect(() => admit(add())).not.toThrow()
  })
})

describe('closing all sockets', () => {
  test('closing drains each socket, destroys idle ones after 100 ms, and busy ones after five seconds', async () => {
    vi.useFakeTimers()
    try {
      const { registry, add } = stage()
      const [idle, busy] = [add(), add({ hasCalls: true })]
      const closed = registry.close()
      expect([idle.done, busy.done]).toEqual([['draining'], ['draining']])
      await vi.advanceTimersByTimeAsync(100)
      expect([idle.done, busy.done]).toEqual([['draining', 'destroy'], ['draining']])
      await vi.advanceTimersByTimeAsync(5_000)
      await closed
      expect(busy.done).toEqual(['draining', 'destroy'])
    } finally {
      vi.useRealTimers()
    }
  })

  test('closing ends as soon as no socket is open, and at once without one', async () => {
    vi.useFakeTimers()
    try {
      const { registry, add, remove } = stage()
      await registry.close()
      const session = add()
      const closed = registry.close()
      remove(session)
      await closed
      expect([session.done, vi.getTimerCount()]).toEqual([['draining'], 0])
    } finally {
      vi.useRealTimers()
    }
  })
})
