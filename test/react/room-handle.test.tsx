// @vitest-environment jsdom
import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { createLocationHooks } from 'hereabouts/react'
import { fakeRoom } from 'hereabouts/testing'
import { act } from 'react'
import { createRoot } from 'react-dom/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RoomHandle } from '../../src/react/room-handle.js'
import { snapshotSelector } from '../../src/react/snapshot-selector.js'
import { deferred, settled } from '../support/servers/memory-server.js'

type Types = RoomTypesWith<{
  location: CellLocation
  presence: { typing?: boolean }
  broadcasts: { wave: { emoji: string }; nod: { emoji: string } }
  locks: true
}>
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })
const cell = (row: number) => ({ sheet: 'Q3', row, col: 1 })

/** A joined room that notes each call. */
function joinedRoom() {
  const calls: unknown[][] = []
  const ready = deferred<void>()
  const room = new Proxy<Record<string, unknown>>(
    {},
    {
      get: (_, name) => {
        if (['status', 'self', 'others', 'members'].includes(String(name))) return `the ${String(name)}`
        return (...args: unknown[]) => {
          calls.push([name, ...args])
          return name === 'ready' ? ready.promise : `result of ${String(name)}`
        }
      },
    },
  )
  return { room: room as never, calls, ready }
}

describe('the room of a RoomProvider', () => {
  test('a mount retries the room, which the client may have open already, closed by a refusal', () => {
    const handle = new RoomHandle<Types>('r', undefined, false)
    const { room, calls } = joinedRoom()
    handle.attach(room)
    expect(calls).toEqual([['retry'], ['ready']])
    expect(() => handle.wait()).toThrow()
  })

  test('the children wait until the room is joined and loaded, and see the error of a refusal', async () => {
    const handle = new RoomHandle<Types>('r', undefined, false)
    const thrownBy = () => {
      try {
        handle.wait()
        return null
      } catch (thrown) {
        return thrown
      }
    }
    const unjoined = thrownBy() as Promise<void>
    let joined = false
    void unjoined.then(() => (joined = true))
    await settled()
    expect(joined).toBe(false)
    const first = joinedRoom()
    handle.attach(first.room)
    await unjoined
    const error = new Error('refused')
    first.ready.reject(error)
    await settled()
    expect(thrownBy()).toBe(error)
    expect(handle.detach()).toBe(first.room)
    expect(handle.isJoined).toBe(false)
    // The next mount waits again, and what the first room says later is ignored.
    const second = joinedRoom()
    handle.attach(second.room)
    expect([thrownBy(), handle.isJoined]).toEqual([expect.any(Promise), true])
    second.ready.resolve()
    await settled()
    expect(thrownBy()).toBe(null)
  })

  test('a room with an initial snapshot is neither awaited nor retried', () => {
    const initial = { id: 'epochepoch1.1', event: { type: 'snapshot', connections: [] } } as never
    const handle = new RoomHandle<Types>('r', initial, false)
    handle.wait()
    const { room, calls } = joinedRoom()
    handle.attach(room)
    expect([calls, handle.hasInitial]).toEqual([[], true])
  })

  const methods: Record<string, unknown[]> = {
    membersAt: [cell(1), { windows: 'all' }],
    other: ['ada'],
    getSnapshot: [],
    subscribe: [() => {}],
    on: ['moved', () => {}],
    post: [cell(1)],
    update: [{ profile: null }],
    flush: [],
    retry: [],
    ready: [],
    leave: [],
    broadcast: ['wave', {}, { to: 'ada' }],
    onBroadcast: ['wave', () => {}],
    lock: [cell(1), { takeOver: true }],
    lockedBy: [cell(1)],
    setPresence: [{ typing: true }],
  }
  type Methods = Record<string, (...args: unknown[]) => unknown>

  test.each(Object.entries(methods))(
    '`%s` of the room of a provider reaches the joined room with its arguments',
    (name, args) => {
      const handle = new RoomHandle<Types>('r', undefined, false)
      const { room, calls } = joinedRoom()
      handle.attach(room)
      calls.length = 0
      const result = (handle.room as unknown as Methods)[name]!(...args)
      expect(calls).toEqual([[name, ...args]])
      expect(result).toEqual(name === 'ready' ? expect.any(Promise) : `result of ${name}`)
    },
  )

  test('the room of a provider has every method of a room, and the data of the joined room', () => {
    const handle = new RoomHandle<Types>('r', undefined, false)
    const { room } = joinedRoom()
    handle.attach(room)
    const all = handle.room as unknown as Record<string, unknown>
    expect(
      Object.keys(all)
        .filter((name) => typeof all[name] === 'function')
        .toSorted(),
    ).toEqual(Object.keys(methods).toSorted())
    for (const name of ['status', 'self', 'others', 'members']) expect(all[name]).toBe(`the ${name}`)
  })

  test.each(['post', 'update', 'flush', 'broadcast', 'lock', 'setPresence'])(
    '`%s` throws in a provider that only watches',
    (name) => {
      const handle = new RoomHandle<Types>('r', undefined, true)
      const { room, calls } = joinedRoom()
      handle.attach(room)
      calls.length = 0
      expect(() => (handle.room as unknown as Methods)[name]!()).toThrow('`watch`')
      expect(calls).toEqual([])
    },
  )

  test.each(Object.keys(methods).filter((name) => !['membersAt', 'other', 'getSnapshot', 'lockedBy'].includes(name)))(
    '`%s` throws before the room is joined',
    (name) => {
      const handle = new RoomHandle<Types>('r', undefined, false)
      expect(() => (handle.room as unknown as Methods)[name]!()).toThrow('is joined when its RoomProvider is mounted')
    },
  )
})

describe('a selector', () => {
  test('a selector runs once for each snapshot, and keeps the value that equals the one before or the rendered one', () => {
    let snapshot = {}
    let reads = 0
    const rendered = { current: { value: [1] } }
    const room = { getSnapshot: () => snapshot }
    const get = snapshotSelector(
      room as never,
      () => [++reads > 2 ? 2 : 1],
      (a, b) => a[0] === b[0],
      rendered,
    )
    const first = get()
    expect([first, get(), reads]).toEqual([rendered.current.value, first, 1])
    expect(first).toBe(rendered.current.value)
    snapshot = {}
    expect(get()).toBe(first)
    snapshot = {}
    expect([get(), reads]).toEqual([[2], 3])
  })
})

describe('hooks whose arguments change', () => {
  async function stage() {
    const fake = await fakeRoom<Types>({ others: { ada: { location: cell(1) }, bob: {} } })
    onTestFinished(() => fake.close())
    const hooks = createLocationHooks(fake.client)
    const heard: string[] = []
    const seen: Record<string, unknown> = {}
    type Props = { name: 'wave' | 'nod'; event: 'moved' | 'left'; other: string; label: string }
    function Listener({ name, event, other, label }: Props) {
      hooks.useOnBroadcast(name, ({ payload }) => heard.push(`${label} ${name} ${payload.emoji}`))
      hooks.useRoomEvent(event, ({ member }: { member: { memberId: string } }) =>
        heard.push(`${label} ${event} ${member.memberId}`),
      )
      seen['other'] = hooks.useOther(other)?.memberId
      seen['broadcast'] = hooks.useBroadcast()
      seen['at'] = hooks.useMembersAt(cell(1), { windows: 'all' }).map(({ memberId }) => memberId)
      return null
    }
    const root = createRoot(document.createElement('main'))
    onTestFinished(() => act(async () => root.unmount()))
    const render = (props: Props) =>
      act(async () =>
        root.render(
          <hooks.RoomProvider room={fake.room.id}>
            <Listener {...props} />
          </hooks.RoomProvider>,
        ),
      )
    return { fake, heard, seen, render }
  }

  test('listeners follow the name of their broadcast and of their event, and are those of the latest render', async () => {
    const { fake, heard, seen, render } = await stage()
    const sendAll = () =>
      act(async () => {
        await fake.sends('ada', 'wave', { emoji: '👋' })
        await fake.sends('ada', 'nod', { emoji: '🙂' })
      })
    await render({ name: 'wave', event: 'moved', other: 'ada', label: 'a' })
    await sendAll()
    await act(() => fake.moves('ada', cell(2)))
    expect(heard.splice(0)).toEqual(['a wave 👋', 'a moved ada'])
    expect([seen['other'], seen['at']]).toEqual(['ada', []])
    await render({ name: 'nod', event: 'left', other: 'bob', label: 'b' })
    await sendAll()
    await act(() => fake.moves('ada', cell(1)))
    await act(() => fake.leaves('bob'))
    expect(heard.splice(0)).toEqual(['b nod 🙂', 'b left bob'])
    expect([seen['other'], seen['at']]).toEqual([undefined, ['ada']])
    await render({ name: 'nod', event: 'left', other: 'bob', label: 'c' })
    await sendAll()
    expect(heard).toEqual(['c nod 🙂'])
  })

  test('useBroadcast returns the same function in each render, which sends with the recipient', async () => {
    const { fake, seen, render } = await stage()
    await render({ name: 'wave', event: 'moved', other: 'ada', label: 'a' })
    const before = seen['broadcast'] as (...call: unknown[]) => Promise<boolean>
    await render({ name: 'wave', event: 'moved', other: 'bob', label: 'b' })
    expect(seen['broadcast']).toBe(before)
    await act(async () => void (await before('wave', { emoji: '👋' }, { to: 'ada' })))
    expect(fake.broadcasts).toEqual([{ name: 'wave', payload: { emoji: '👋' }, to: 'ada' }])
  })
})
