import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { Lock } from 'hereabouts/client'
import { describe, expect, test } from 'vitest'
import { firstLoad } from '../../../src/client/first-load.js'
import { openRoomLocks } from '../../../src/client/locks/room-locks.js'
import { createStore } from '../../../src/client/store/store.js'
import { LocationError } from '../../../src/shared/errors.js'
import { recordCollections } from '../../support/collections.js'
import { countedClock } from '../../support/counted-clock.js'
import { deferred, settled } from '../../support/servers/memory-server.js'

/* The locks of a room whose server and connection are played by the test. With a real server: room-locks.test.ts. */

type Types = RoomTypesWith<{ location: CellLocation; locks: true }>
type Held = Lock<Types> & AsyncDisposable
type Call = {
  procedure: string
  location: CellLocation
  lockSeq: number
  fence?: number
  claim?: number
  takeOver?: true
}

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 1 })

function lockingRoom() {
  const clock = countedClock()
  const store = createStore<Types>(new Date(0), () => {})
  const calls: Call[] = []
  const told: string[] = []
  const tell = (what: string) => () => void told.push(what)
  let fence = 100
  const server = { answer: (_call: Call): unknown => ({ outcome: 'locked', fence: ++fence }) }
  const presence = {
    key: 'key',
    acceptedAt: clock.now(),
    flush: async () => {},
    postAgain: tell('postAgain'),
    hasten: tell('hasten'),
  }
  const pace = {
    timing: {
      beatMs: 10_000,
      features: ['locks'],
      locks: { lockMs: 30_000, idleMs: 120_000 } as { lockMs: number; idleMs: number } | undefined,
    },
    context: () => ({ now: clock.now(), random: 0.5, beatMs: 10_000 }),
    deadlineMs: () => 20_000,
  }
  const transport = {
    clock,
    async call(_: string, procedure: string, input: Omit<Call, 'procedure'>) {
      const call = { procedure, ...input }
      calls.push(call)
      return server.answer(call)
    },
  }
  const connection = { connect: tell('connect'), endWait: tell('connect') }
  /** Shows our connection with these locks, at a version of the room. */
  const show = (version: number, locks: { location: CellLocation; fence: number }[] = [], epoch = 'epochepoch1') => {
    store.view.id = `${epoch}.${version}`
    const own = {
      connectionId: 'me',
      memberId: 'm',
      profile: null,
      location: null,
      activity: 'active',
      at: version,
      locks,
    }
    store.take([store.view.set('me', own as never)])
  }
  store.own({ connectionId: 'me', memberId: 'm', draft: { location: null } })
  show(1)
  const lock = openRoomLocks<Types>({ room: 'r', transport, store, pace, presence } as never, connection, firstLoad)
  return {
    clock,
    store,
    calls,
    told,
    server,
    presence,
    pace,
    show,
    lock,
    kinds: () => calls.map(({ procedure }) => procedure),
  }
}

describe('calls for a lock', () => {
  test('a call for a lock names room, connection and place, and calls count up', async () => {
    const { lock, calls } = lockingRoom()
    await lock(cell(1))
    await lock(cell(2), { takeOver: true })
    expect(calls).toEqual([
      { procedure: 'lockLocation', room: 'r', connectionKey: 'key', lockSeq: 1, location: cell(1) },
      { procedure: 'lockLocation', room: 'r', connectionKey: 'key', lockSeq: 2, location: cell(2), takeOver: true },
    ])
  })

  test('a call that failed does not fail the calls after it', async () => {
    const { lock, server } = lockingRoom()
    const answer = server.answer
    server.answer = () => {
      throw Object.assign(new Error('forbidden: No.'), { shape: {}, data: { httpStatus: 403 } })
    }
    await expect(lock(cell(1))).rejects.toMatchObject({ code: 'forbidden' })
    server.answer = answer
    const held = (await lock(cell(2)))!
    expect(held).not.toBe(null)
    server.answer = () => {
      throw new Error('network')
    }
    await held.release()
    server.answer = answer
    expect(await lock(cell(3))).not.toBe(null)
  })

  test('one call is made after the other', async () => {
    const { lock, server, calls } = lockingRoom()
    const first = deferred<object>()
    const { answer } = server
    server.answer = () => first.promise
    const locks = [lock(cell(1)), lock(cell(2))]
    await settled()
    expect(calls).toHaveLength(1)
    server.answer = answer
    first.resolve({ outcome: 'locked', fence: 1 })
    expect((await Promise.all(locks)).every(Boolean)).toBe(true)
  })

  test('a call without an answer is made again with backoff, until it is answered', async () => {
    const { lock, server, calls, clock } = lockingRoom()
    const { answer } = server
    server.answer = () => {
      throw new Error('network')
    }
    const asked = lock(cell(1))
    const waits: number[] = []
    for (let failures = 1; failures <= 9; failures++) {
      await settled()
      const start = clock.now()
      expect(calls).toHaveLength(failures)
      while (calls.length === failures) await clock.advance(50)
      waits.push(clock.now() - start)
    }
    // Half of a limit that doubles from 0.5 s to 30 s.
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
    server.answer = answer
    await clock.advance(15_000)
    expect(await asked).not.toBe(null)
    // The backoff of the next lock begins anew.
    server.answer = () => {
      throw new Error('network')
    }
    void lock(cell(2))
    await settled()
    const { length } = calls
    await clock.advance(250)
    expect(calls.length).toBe(length + 1)
  })

  test('a server that still collects claims is asked again when it says, or after a second', async () => {
    const { lock, server, calls, clock } = lockingRoom()
    const { answer } = server
    server.answer = () => ({ outcome: 'taken', holder: null, retryAfterMs: 700 })
    const asked = lock(cell(1))
    await clock.advance(699)
    expect(calls).toHaveLength(1)
    server.answer = () => ({ outcome: 'taken', holder: null })
    await clock.advance(1)
    expect(calls).toHaveLength(2)
    server.answer = answer
    await clock.advance(999)
    expect(calls).toHaveLength(2)
    await clock.advance(1)
    expect(await asked).not.toBe(null)
  })

  test.each(['absent', 'stale'])('after a second answer `%s` in a row, our state is posted again', async (outcome) => {
    const { lock, server, told, clock, calls } = lockingRoom()
    const { answer } = server
    server.answer = () => ({ outcome })
    const asked = lock(cell(1))
    await settled()
    expect([told, calls.length]).toEqual([[], 1])
    await clock.advance(500)
    expect([told, calls.length]).toEqual([['postAgain'], 2])
    await clock.advance(999)
    expect(calls).toHaveLength(2)
    server.answer = answer
    await clock.advance(1)
    expect(await asked).not.toBe(null)
  })

  test.each([
    ['taken', { outcome: 'taken', holder: { memberId: 'm2', connectionId: 'c2' } }],
    ['full', { outcome: 'full' }],
  ])('the answer `%s` resolves to null, and the next call asks anew', async (_, answer) => {
    const { lock, server, calls } = lockingRoom()
    server.answer = () => answer
    expect([await lock(cell(1)), await lock(cell(1)), calls.length]).toEqual([null, null, 2])
  })

  test('no lock is asked for before the room is shown, and none of a server without locks', async () => {
    const { lock, store, calls, show, pace } = lockingRoom()
    store.view.id = null
    const asked = lock(cell(1))
    await settled()
    expect(calls).toEqual([])
    show(2)
    expect(await asked).not.toBe(null)
    pace.timing.locks = undefined
    await expect(lock(cell(2))).rejects.toMatchObject({ code: 'misconfigured' })
  })
})

describe('callers that give up', () => {
  test('a place that was granted after every caller gave up is released at once', async () => {
    const { lock, server, kinds } = lockingRoom()
    const granted = deferred<object>()
    const { answer } = server
    server.answer = () => granted.promise
    const controller = new AbortController()
    const asked = lock(cell(1), { signal: controller.signal })
    await settled()
    controller.abort(new Error('given up'))
    await expect(asked).rejects.toThrow('given up')
    server.answer = answer
    granted.resolve({ outcome: 'locked', fence: 7 })
    await settled()
    expect(kinds()).toEqual(['lockLocation', 'unlockLocation'])
  })

  test('a place that another caller still wants is kept', async () => {
    const { lock, server, kinds } = lockingRoom()
    const granted = deferred<object>()
    server.answer = () => granted.promise
    const controller = new AbortController()
    const asked = [lock(cell(1), { signal: controller.signal }), lock(cell(1))]
    await settled()
    controller.abort(new Error('given up'))
    granted.resolve({ outcome: 'locked', fence: 7 })
    await expect(asked[0]).rejects.toThrow('given up')
    expect(await asked[1]).toMatchObject({ fence: 7 })
    expect(kinds()).toEqual(['lockLocation'])
  })

  test('a call with a signal that has aborted asks nothing', async () => {
    const { lock, calls } = lockingRoom()
    await expect(lock(cell(1), { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow('given up')
    expect(calls).toEqual([])
  })

  test('a call that was given up before it could be made is not made', async () => {
    const { lock, store, calls, show } = lockingRoom()
    store.view.id = null
    const controller = new AbortController()
    const asked = lock(cell(1), { signal: controller.signal })
    controller.abort(new Error('given up'))
    await expect(asked).rejects.toThrow('given up')
    show(2)
    await settled()
    expect(calls).toEqual([])
  })
})

describe('the release of a lock', () => {
  test('a lock that was taken twice is unlocked by the second release, once', async () => {
    const { lock, calls } = lockingRoom()
    const held = (await lock(cell(1)))!
    expect(await lock(cell(1))).toBe(held)
    await held.release()
    expect(calls).toHaveLength(1)
    await held.release()
    expect(calls.slice(1)).toMatchObject([{ procedure: 'unlockLocation', location: cell(1), fence: held.fence }])
  })

  test('a lock is released at the end of an `await using` block', async () => {
    const { lock, kinds } = lockingRoom()
    {
      await using held = (await lock(cell(1))) as Held
      expect(held).not.toBe(null)
    }
    expect(kinds()).toEqual(['lockLocation', 'unlockLocation'])
  })

  test('a lock that was lost is not unlocked', async () => {
    const { lock, show, kinds } = lockingRoom()
    const held = (await lock(cell(1)))!
    show(500)
    expect(held.signal.aborted).toBe(true)
    expect(held.signal.reason).toMatchObject({ code: 'unavailable' })
    await held.release()
    expect(kinds()).toEqual(['lockLocation'])
  })
})

describe('locks that the room shows', () => {
  test('a lock that the room does not show yet is kept, and one that it showed and shows no more is lost', async () => {
    const { lock, show } = lockingRoom()
    const held = (await lock(cell(1)))!
    show(2)
    expect(held.signal.aborted).toBe(false)
    show(held.fence + 1, [{ location: cell(1), fence: held.fence }])
    expect(held.signal.aborted).toBe(false)
    show(held.fence + 2)
    expect(held.signal.aborted).toBe(true)
  })

  test('a lock of our connection that nobody here wants is released after half a heartbeat interval, again and again', async () => {
    const { calls, show, clock } = lockingRoom()
    show(2, [{ location: cell(9), fence: 2 }])
    await clock.advance(4_999)
    expect(calls).toEqual([])
    await clock.advance(1)
    expect(calls).toMatchObject([{ procedure: 'unlockLocation', location: cell(9), fence: 2 }])
    await clock.advance(5_000)
    expect(calls).toHaveLength(2)
    show(3)
    await clock.advance(60_000)
    expect([calls.length, clock.pending]).toEqual([2, 0])
  })

  test('in a new epoch, a lock is claimed with its old fence, and is lost when the claim is refused', async () => {
    const { lock, calls, show, server } = lockingRoom()
    const [kept, lost] = [(await lock(cell(1)))!, (await lock(cell(2)))!]
    const [before] = [kept.fence]
    server.answer = ({ location, claim }) =>
      location.row === 1
        ? { outcome: 'locked', fence: claim! + 1_000 }
        : { outcome: 'taken', holder: { memberId: 'x', connectionId: 'x' } }
    show(1, [], 'epochepoch2')
    show(2, [], 'epochepoch2')
    await settled()
    expect(calls.slice(2).map(({ claim }) => claim)).toEqual([before, before + 1])
    expect([kept.fence, kept.signal.aborted, lost.signal.aborted]).toEqual([before + 1_000, false, true])
  })
})

describe('the time of a lock', () => {
  test('a lock is lost 30 s after the last accepted post, and is not unlocked then', async () => {
    const { lock, clock, presence, kinds } = lockingRoom()
    const held = (await lock(cell(1)))!
    await clock.advance(20_000)
    presence.acceptedAt = clock.now()
    await clock.advance(29_999)
    expect(held.signal.aborted).toBe(false)
    await clock.advance(51)
    expect([held.signal.aborted, kinds(), clock.pending]).toEqual([true, ['lockLocation'], 0])
  })

  test('the lock of an idle page is unlocked after `idleMs`, which begins with each stay away', async () => {
    const { lock, clock, presence, store, kinds } = lockingRoom()
    const held = (await lock(cell(1)))!
    const is = (activity: 'active' | 'away') => {
      store.own({ draft: { location: null, activity } })
      store.show({ state: 'live', ...(activity === 'away' && {}) })
    }
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 10_000) {
        presence.acceptedAt = clock.now()
        await clock.advance(Math.min(left, 10_000))
      }
    }
    is('away')
    await pass(110_000)
    is('active')
    await pass(110_000)
    is('away')
    await pass(110_000)
    expect(held.signal.aborted).toBe(false)
    await pass(10_100)
    expect([held.signal.aborted, kinds()]).toEqual([true, ['lockLocation', 'unlockLocation']])
  })

  test.each([[-1], [0], [NaN], ['x']])('a lock of a server that says `lockMs: %j` ends after 30 s', async (lockMs) => {
    const { lock, clock, pace } = lockingRoom()
    pace.timing.locks = { lockMs: lockMs as number, idleMs: lockMs as number }
    const held = (await lock(cell(1)))!
    await clock.advance(29_900)
    expect(held.signal.aborted).toBe(false)
    await clock.advance(200)
    expect(held.signal.aborted).toBe(true)
  })

  test('a lock ends ten minutes after the last accepted post at the latest', async () => {
    const { lock, clock, pace } = lockingRoom()
    pace.timing.locks = { lockMs: 1e12, idleMs: 1e12 }
    const held = (await lock(cell(1)))!
    await clock.advance(599_900)
    expect(held.signal.aborted).toBe(false)
    await clock.advance(200)
    expect(held.signal.aborted).toBe(true)
  })
})

describe('an outage while a lock is held', () => {
  const waiting = {
    state: 'waiting' as const,
    retryAt: new Date(0),
    attempt: 3,
    error: new LocationError('network', 'x'),
  }

  test('the wait of a connection ends within a fifth of a heartbeat interval while a lock is held, each time', async () => {
    const { lock, store, told, clock } = lockingRoom()
    await lock(cell(1))
    for (let time = 1; time <= 2; time++) {
      store.show(waiting)
      await clock.advance(999)
      expect(told).toHaveLength(2 * (time - 1))
      await clock.advance(1_002)
      expect(told.slice(-2)).toEqual(['connect', 'hasten'])
      expect(told).toHaveLength(2 * time)
      store.show({ state: 'live' })
      await clock.advance(0)
    }
  })

  test('a connection that is back is not hurried any more, and one without a lock never', async () => {
    const { lock, store, told, clock } = lockingRoom()
    store.show(waiting)
    await clock.advance(5_000)
    expect(told).toEqual([])
    store.show({ state: 'live' })
    await lock(cell(1))
    store.show(waiting)
    store.show({ state: 'live' })
    await clock.advance(5_000)
    expect(told).toEqual([])
  })
})

describe('a room that is left', () => {
  const left = { state: 'closed' as const, reason: 'left', error: null }

  test('a room that is left aborts its locks, keeps no timer and unlocks nothing', async () => {
    const { lock, store, clock, show, kinds } = lockingRoom()
    const held = (await lock(cell(1)))!
    show(2, [{ location: cell(9), fence: 2 }])
    store.show(left)
    expect([held.signal.aborted, clock.pending]).toEqual([true, 0])
    await held.release()
    await clock.advance(60_000)
    expect(kinds()).toEqual(['lockLocation'])
    await expect(lock(cell(2))).rejects.toMatchObject({ code: 'closed' })
  })

  test('a room that was refused keeps its locks, because we may return', async () => {
    const { lock, store } = lockingRoom()
    const held = (await lock(cell(1)))!
    store.show({ state: 'closed', reason: 'forbidden', error: new LocationError('forbidden', 'No.') })
    expect(held.signal.aborted).toBe(false)
  })
})

test('the locks of a room remember no place that was released, refused or given up', async () => {
  const recorded = recordCollections()
  const { lock, server, show } = lockingRoom()
  const { answer } = server
  for (let i = 0; i < 200; i++) {
    server.answer = answer
    await (await lock(cell(i)))!.release()
    server.answer = () => ({ outcome: 'full' })
    await lock(cell(i))
    show(1_000 + i, [{ location: cell(i), fence: i + 1 }])
  }
  recorded.stop()
  expect(recorded.largest()).toBeLessThan(10)
})
