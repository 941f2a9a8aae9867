import type { RoomTypes } from 'hereabouts'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { joinRoom, leaveSoon } from '../../src/bindings/join-room.js'
import { attachTo, keepRoom, readOptions } from '../../src/bindings/kept-room.js'
import { createLockValue } from '../../src/bindings/lock-value.js'
import { valueOf } from '../../src/bindings/maybe-getter.js'
import { profileText } from '../../src/bindings/profile-text.js'
import { roomOnServer } from '../../src/bindings/room-on-server.js'
import { steady } from '../../src/bindings/steady.js'
import { createLockHolder, lockStateOf } from '../../src/bindings/used-lock.js'
import { deferred, settled } from '../support/servers/memory-server.js'

/* The parts that the bindings share, each with a room or a client of the test. */

/** A room whose changes the test makes. */
function fakeRoom(id: string) {
  const runs = new Set<() => void>()
  const calls: unknown[] = []
  return {
    id,
    calls,
    runs,
    subscribe(run: () => void) {
      runs.add(run)
      run()
      return () => void runs.delete(run)
    },
    update: (change: object) => void calls.push(change),
    leave: async () => void calls.push('leave'),
    changes: () => runs.forEach((run) => run()),
  }
}
type Fake = ReturnType<typeof fakeRoom>

function fakeClient() {
  const rooms: Fake[] = []
  const calls: [string, string, object | undefined][] = []
  const open = (how: string) => (id: string, options?: object) => {
    calls.push([how, id, options])
    const room = fakeRoom(id)
    rooms.push(room)
    return room
  }
  return { rooms, calls, join: open('join'), watch: open('watch') }
}

const later = () => new Promise<void>((resolve) => void setImmediate(() => setImmediate(resolve)))

describe('joining a room for a provider', () => {
  test('a provider joins with profile, location and initial room, and watches with the initial room alone', () => {
    const client = fakeClient()
    const options = { room: 'r', profile: { name: 'Ada' }, location: 1, initial: { id: 'x' } }
    joinRoom(client as never, options as never)
    joinRoom(client as never, { ...options, watch: true } as never)
    const { room: _, ...given } = options
    expect(client.calls).toEqual([
      ['join', 'r', given],
      ['watch', 'r', { initial: { id: 'x' } }],
    ])
  })

  test('a profile that cannot be sent is an uncaught error, and the room is joined without it', () => {
    const tasks: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => tasks.push(task))
    const client = fakeClient()
    const join = client.join
    client.join = (id, options) => {
      if ((options as { profile?: object }).profile) throw new Error('half an emoji')
      return join(id, options)
    }
    const initial = { id: 'x' }
    const room = joinRoom(client as never, { room: 'r', profile: { name: '\ud800' }, initial } as never)
    vi.unstubAllGlobals()
    expect([room.id, client.calls]).toEqual(['r', [['join', 'r', { initial }]]])
    expect(tasks).toHaveLength(1)
    expect(tasks[0]).toThrow('half an emoji')
  })

  test('a room is left in a later task, not at once', async () => {
    const room = fakeRoom('r')
    leaveSoon(room as never)
    expect(room.calls).toEqual([])
    await vi.waitFor(() => expect(room.calls).toEqual(['leave']))
  })
})

describe('the room of a provider', () => {
  beforeEach(() => void vi.stubGlobal('document', {}))
  afterEach(() => void vi.unstubAllGlobals())
  const options = (more: object = {}) => readOptions<RoomTypes>({ room: 'r', ...more })

  test('the room of a provider stays the same while room, client and `watch` do', () => {
    const client = fakeClient()
    const kept = keepRoom(client as never)
    kept.follow(options())
    const room = kept.room()
    kept.follow(options({ location: 5, initial: {} }))
    expect([kept.room() === room, client.calls.length]).toEqual([true, 1])
  })

  test.each([
    ['the room', { room: 's' }],
    ['the client', { client: fakeClient() }],
    ['`watch`', { watch: true }],
  ])('the room of a provider is left and joined anew when %s changes', async (_, change) => {
    const client = fakeClient()
    const kept = keepRoom(client as never)
    let runs = 0
    kept.subscribe(() => runs++)
    kept.follow(options())
    const [before] = client.rooms
    kept.follow(options(change))
    expect(kept.room()).not.toBe(before)
    // The previous room is not listened to any more.
    expect(before!.runs.size).toBe(0)
    await vi.waitFor(() => expect(before!.calls).toEqual(['leave']))
    const told = runs
    ;(kept.room() as never as Fake).changes()
    expect(runs).toBe(told + 1)
  })

  test('a changed profile is posted once, `null` when it is gone, and none by a watcher', () => {
    const client = fakeClient()
    const kept = keepRoom(client as never)
    kept.follow(options({ profile: { name: 'Ada' } }))
    kept.follow(options({ profile: { name: 'Ada' } }))
    kept.follow(options({ profile: { name: 'Bo' } }))
    kept.follow(options({ profile: { name: 'Bo' } }))
    kept.follow(options())
    expect(client.rooms[0]!.calls).toEqual([{ profile: { name: 'Bo' } }, { profile: null }])
    const watching = fakeClient()
    const watcher = keepRoom(watching as never)
    watcher.follow(options({ watch: true, profile: { name: 'Ada' } }))
    watcher.follow(options({ watch: true, profile: { name: 'Bo' } }))
    expect(watching.rooms[0]!.calls).toEqual([])
  })

  test('a provider that ends leaves its room once and listens no more, and may join again', async () => {
    const client = fakeClient()
    const kept = keepRoom(client as never)
    kept.follow(options())
    kept.leave()
    kept.leave()
    await later()
    await vi.waitFor(() => expect(client.rooms[0]!.calls).toEqual(['leave']))
    expect(client.rooms[0]!.runs.size).toBe(0)
    kept.follow(options())
    expect(client.rooms).toHaveLength(2)
  })

  test('a subscription of the room of a provider ends', () => {
    const client = fakeClient()
    const kept = keepRoom(client as never)
    kept.follow(options())
    let runs = 0
    const stop = kept.subscribe(() => runs++)
    client.rooms[0]!.changes()
    stop()
    client.rooms[0]!.changes()
    expect(runs).toBe(1)
  })

  test('without a document, as on a server, nothing is joined', () => {
    vi.unstubAllGlobals()
    const client = fakeClient()
    const kept = keepRoom(client as never)
    kept.follow(options())
    expect([client.calls, kept.room().id, kept.room().others]).toEqual([[], 'r', []])
    // Posts are ignored, and listeners can be removed.
    kept.room().post(null)
    kept.room().update({})
    kept.room().on('moved', () => {})()
    kept.leave()
  })

  test('a room on a server shows the initial room, and the locks in it', () => {
    const locks = [{ location: 1, fence: 3 }]
    const connection = {
      connectionId: 'c',
      memberId: 'm',
      profile: null,
      location: 2,
      activity: 'active',
      at: 1,
      locks,
    }
    const initial = { id: 'epochepoch1.1', event: { type: 'snapshot', connections: [connection] } }
    const room = roomOnServer('r', initial as never) as never as Record<string, (of: unknown) => unknown>
    expect(room['members']).toMatchObject([{ memberId: 'm' }])
    expect(room['membersAt']!(2)).toMatchObject([{ memberId: 'm' }])
    expect([room['lockedBy']!(1), room['lockedBy']!(2)]).toMatchObject([{ memberId: 'm' }, null])
    expect(room['other']!('m')).toMatchObject({ memberId: 'm' })
  })
})

describe('listeners of the room of a provider', () => {
  test('listeners move from the room before to the next one, and end with the component', () => {
    const log: string[] = []
    let room = fakeRoom('r')
    const runs = new Set<() => void>()
    const kept = {
      room: () => room,
      subscribe(run: () => void) {
        runs.add(run)
        return () => void runs.delete(run)
      },
    }
    const end = attachTo(kept as never, ({ id }) => {
      log.push(`attach ${id}`)
      return () => void log.push(`detach ${id}`)
    })
    const changed = () => runs.forEach((run) => run())
    changed()
    expect(log).toEqual(['attach r'])
    room = fakeRoom('s')
    changed()
    changed()
    expect(log).toEqual(['attach r', 'detach r', 'attach s'])
    end()
    expect([log.at(-1), runs.size]).toEqual(['detach s', 0])
  })
})

describe('the lock of a component', () => {
  const lockOf = (location: unknown) => {
    const controller = new AbortController()
    const released: string[] = []
    const lock = { location, fence: 1, signal: controller.signal, release: async () => void released.push('release') }
    return { lock, controller, released }
  }
  /** A room whose calls of `lock` the test answers. */
  const lockingRoom = () => {
    const asked: {
      location: unknown
      options: { signal: AbortSignal; takeOver?: true }
      answer: ReturnType<typeof deferred<object | null>>
    }[] = []
    return {
      asked,
      self: { memberId: 'me' },
      holder: null as object | null,
      lockedBy() {
        return this.holder
      },
      lock(location: unknown, options: never) {
        const answer = deferred<object | null>()
        asked.push({ location, options, answer })
        return answer.promise
      },
    }
  }
  const holding = () => {
    const changes: unknown[] = []
    const room = lockingRoom()
    const holder = createLockHolder<never>((held) => void changes.push(held))
    return { changes, room, holder, acquire: (place: unknown = 1) => holder.acquire(room as never, place as never) }
  }

  test('a granted lock is shown until it is lost', async () => {
    const { changes, room, acquire } = holding()
    const acquired = acquire()
    expect(room.asked[0]).toMatchObject({ location: 1, options: { takeOver: true } })
    const { lock, controller } = lockOf(1)
    room.asked[0]!.answer.resolve(lock)
    expect([await acquired, changes]).toEqual([true, [lock]])
    controller.abort()
    expect(changes).toEqual([lock, null])
    // The component may acquire the place again.
    void acquire()
    expect(room.asked).toHaveLength(2)
  })

  test('while a place is held or asked for, a call takes nothing and says whether that place is held', async () => {
    const { room, acquire } = holding()
    const first = acquire()
    expect(await acquire()).toBe(false)
    room.asked[0]!.answer.resolve(lockOf(1).lock)
    await first
    expect([await acquire(1), await acquire(2), room.asked.length]).toEqual([true, false, 1])
  })

  test('a place that somebody else has, or a call that fails, leaves the component free to ask again', async () => {
    const { changes, room, acquire } = holding()
    const taken = acquire()
    room.asked[0]!.answer.resolve(null)
    expect(await taken).toBe(false)
    const failing = acquire()
    room.asked[1]!.answer.reject(new Error('no locks'))
    await expect(failing).rejects.toThrow('no locks')
    void acquire()
    expect([room.asked.length, changes]).toEqual([3, []])
  })

  test('a release ends the lock once, and a later loss of it changes nothing', async () => {
    const { changes, room, acquire, holder } = holding()
    const acquired = acquire()
    const { lock, controller, released } = lockOf(1)
    room.asked[0]!.answer.resolve(lock)
    await acquired
    await holder.release()
    await holder.release()
    controller.abort()
    expect([changes, released]).toEqual([[lock, null], ['release']])
  })

  test('a release cancels a pending call, whose result is not shown', async () => {
    const { changes, room, acquire, holder } = holding()
    const acquired = acquire()
    await holder.release()
    expect(room.asked[0]!.options.signal.aborted).toBe(true)
    const next = acquire(2)
    room.asked[0]!.answer.reject(new Error('aborted'))
    expect(await acquired).toBe(false)
    const { lock } = lockOf(2)
    room.asked[1]!.answer.resolve(lock)
    expect([await next, changes]).toEqual([true, [null, lock]])
  })

  test('a place is free, ours, in another window of ours, or taken', () => {
    const room = lockingRoom()
    const state = (location: unknown, held: object | null = null) =>
      lockStateOf(room as never, location as never, held as never)
    expect(state(1)).toEqual({ state: 'free' })
    room.holder = { memberId: 'me' }
    expect(state(1)).toMatchObject({ state: 'otherWindow', holder: { memberId: 'me' } })
    room.holder = { memberId: 'ada' }
    expect(state(1)).toMatchObject({ state: 'taken', holder: { memberId: 'ada' } })
    const { lock } = lockOf(1)
    expect(state(1, lock)).toEqual({ state: 'mine', lock })
    expect(state(2, lock)).toMatchObject({ state: 'taken' })
  })

  test('the value of a lock is the same object until something changes, and a new place ends the lock of the old one', async () => {
    const room = lockingRoom()
    let place = 1
    let changes = 0
    const value = createLockValue<never>(
      () => room as never,
      () => place as never,
      () => changes++,
    )
    const free = value.get()
    expect([free.state, value.get()]).toEqual(['free', free])
    const acquired = free.acquire()
    const { lock, released } = lockOf(1)
    room.asked[0]!.answer.resolve(lock)
    await acquired
    expect([value.get().state, changes]).toEqual(['mine', 1])
    value.releaseOthers()
    expect(released).toEqual([])
    place = 2
    expect(value.get().state).toBe('free')
    value.releaseOthers()
    await settled()
    expect([released, changes]).toEqual([['release'], 2])
    void value.get().acquire()
    expect(room.asked.at(-1)!.location).toBe(2)
    await value.release()
    expect(room.asked.at(-1)!.options.signal.aborted).toBe(true)
  })
})

describe('small parts of the bindings', () => {
  test('a steady value is replaced only by one that differs', () => {
    let value = { n: 1 }
    const get = steady(
      () => value,
      (a, b) => a.n === b.n,
    )
    const first = get()
    value = { n: 1 }
    expect(get()).toBe(first)
    value = { n: 2 }
    expect(get()).toBe(value)
    expect(get()).toBe(value)
  })

  test('an argument is a value or a function that returns it', () => {
    expect([valueOf(3), valueOf(() => 3), valueOf(null)]).toEqual([3, 3, null])
  })

  test('the text of a profile tells changes in place, and is the profile itself when it is no JSON', () => {
    const profile: Record<string, unknown> = { name: 'Ada' }
    const before = profileText(profile)
    profile['name'] = 'Bo'
    expect([before, profileText(profile), profileText(undefined)]).toEqual([
      '{"name":"Ada"}',
      '{"name":"Bo"}',
      undefined,
    ])
    profile['self'] = profile
    expect(profileText(profile)).toBe(profile)
  })
})
