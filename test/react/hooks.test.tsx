// @vitest-environment jsdom
import { setImmediate as turn } from 'node:timers/promises'
import type { CellLocation, Connection } from 'hereabouts'
import { createLocationClient, type LocationClient, type Member } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { LocationServer } from 'hereabouts/server/standalone'
import { act, StrictMode, useEffect, useLayoutEffect, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { manualClock } from '../../src/testing/manual-clock.js'
import { scriptedServer, type ScriptedServer, type ScriptedStream } from '../support/servers/scripted-server.js'
import type { CellTypes } from '../support/cell-types.js'

type Router = LocationServer<CellTypes>['router']
const {
  RoomProvider,
  useRoomEvent,
  useOtherIds,
  useOthers,
  usePost,
  useUpdateProfile,
  useRoom,
  useSelf,
  useStatus,
  useMembersAt,
} = createLocationHooks(createLocationClient<Router>({ url: 'http://127.0.0.1:9' }))

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 0 })
const one = (name: string, at = 1, location: CellLocation | null = null): Connection<CellTypes> => ({
  connectionId: name,
  memberId: name,
  profile: { name },
  location,
  activity: 'active',
  at,
})
const id = (version: number) => `epochepoch1.${version}`
const namesOf = (members: readonly Member<CellTypes>[]) => members.map(({ memberId }) => memberId).join()

let server: ScriptedServer
let client: LocationClient<CellTypes>
let clock: ReturnType<typeof manualClock>
let root: ReturnType<typeof createRoot>
let page: HTMLElement

beforeEach(async () => {
  server = await scriptedServer()
  clock = manualClock()
  client = createLocationClient<Router>({ url: server.url, clock })
  page = document.createElement('main')
  root = createRoot(page)
})
afterEach(async () => {
  await act(async () => root.unmount())
  await client.close()
  await server[Symbol.asyncDispose]()
})

const render = (children: ReactNode) => act(async () => root.render(children))
const inRoom = (children: ReactNode) => (
  <RoomProvider client={client} room="r">
    {children}
  </RoomProvider>
)
/** Waits until bytes written by one end have arrived at the other and are rendered. */
const delivered = () =>
  act(async () => {
    for (let i = 0; i < 30; i++) await turn()
  })
async function live(...others: Connection<CellTypes>[]): Promise<ScriptedStream> {
  const stream = await act(async () => {
    await server.post()
    return server.stream()
  })
  stream.hello()
  stream.snapshot(id(1), ...others)
  await delivered()
  return stream
}

describe('a RoomProvider', () => {
  test('a RoomProvider joins when it is mounted and leaves when it is unmounted', async () => {
    await render(inRoom(null))
    expect(await server.post()).toMatchObject({ room: 'r', location: null })
    await delivered()
    await render(null)
    expect(await server.leave()).toMatchObject({ room: 'r' })
  })

  test('a RoomProvider under StrictMode joins once and sends no leave until it is unmounted', async () => {
    await render(<StrictMode>{inRoom(null)}</StrictMode>)
    await server.post()
    await server.stream()
    await delivered()
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
    await render(null)
    await server.leave()
    await delivered()
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  })

  test('a RoomProvider joins with the location and profile of its props', async () => {
    await render(<RoomProvider client={client} room="r" profile={{ name: 'Ada' }} location={cell(1)} />)
    expect(await server.post()).toMatchObject({ profile: { name: 'Ada' }, location: cell(1) })
  })

  test('a RoomProvider posts the profile `null` when its `profile` prop becomes undefined or `null`', async () => {
    const named = (profile?: CellTypes['profile'] | null) => <RoomProvider client={client} room="r" profile={profile} />
    await render(named({ name: 'Ada' }))
    expect(await server.post()).toMatchObject({ profile: { name: 'Ada' } })
    for (const signedOut of [undefined, null]) {
      await delivered()
      await clock.advance(50)
      await render(named(signedOut))
      expect(await server.post()).toMatchObject({ profile: null })
      await delivered()
      await clock.advance(50)
      await render(named({ name: 'Ada' }))
      expect(await server.post()).toMatchObject({ profile: { name: 'Ada' } })
    }
  })

  test('a RoomProvider posts a profile that was changed in place', async () => {
    const profile = { name: 'Ada' }
    const named = () => <RoomProvider client={client} room="r" profile={profile} />
    await render(named())
    await server.post()
    await delivered()
    profile.name = 'Countess'
    await clock.advance(50)
    await render(named())
    expect(await server.post()).toMatchObject({ profile: { name: 'Countess' } })
  })

  test('a RoomProvider posts its profile only when the profile changed', async () => {
    const named = (name: string) => <RoomProvider client={client} room="r" profile={{ name }} />
    await render(named('Ada'))
    await server.post()
    await delivered()
    await render(named('Ada'))
    await clock.advance(100)
    expect(server.waiting().posts).toBe(0)
    await render(named('Countess'))
    await clock.advance(100)
    expect(await server.post()).toMatchObject({ profile: { name: 'Countess' } })
  })

  test('a RoomProvider joins the new room and leaves the previous one when its `room` prop changes', async () => {
    await render(<RoomProvider client={client} room="a" />)
    expect(await server.post()).toMatchObject({ room: 'a' })
    await delivered()
    await render(<RoomProvider client={client} room="b" />)
    expect(await server.post()).toMatchObject({ room: 'b' })
    expect(await server.leave()).toMatchObject({ room: 'a' })
  })

  test('hooks inside nested RoomProviders use the room of the nearest one', async () => {
    const RoomName = () => <b>{useRoom().id} </b>
    await render(
      <RoomProvider client={client} room="outer">
        <RoomName />
        <RoomProvider client={client} room="inner">
          <RoomName />
        </RoomProvider>
      </RoomProvider>,
    )
    expect(page.textContent).toBe('outer inner ')
  })

  test('a RoomProvider has joined its room before the effects of its children run', async () => {
    function Child() {
      const post = usePost()
      const room = useRoom()
      useLayoutEffect(() => post(cell(1)), [post])
      useEffect(() => room.update({ profile: { name: 'Ada' } }), [room])
      return null
    }
    await render(inRoom(<Child />))
    expect(await server.post()).toMatchObject({ location: cell(1), profile: { name: 'Ada' } })
  })

  test('a hook outside of a RoomProvider throws an error that names RoomProvider', () => {
    const Lost = () => useStatus().state
    expect(() => renderToString(<Lost />)).toThrow('RoomProvider')
  })

  test('a RoomProvider on a server sends no request and renders an empty room', async () => {
    const Page = () => [useStatus().state, useOthers().length, useMembersAt(cell(1)).length, useSelf() === null].join()
    expect(renderToString(inRoom(<Page />))).toBe('connecting,0,0,true')
    await delivered()
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  })
})

describe('hooks', () => {
  test('useOthers shows other members as they enter and leave', async () => {
    const Others = () => namesOf(useOthers())
    await render(inRoom(<Others />))
    expect(page.textContent).toBe('')
    const stream = await live(one('ada'))
    expect(page.textContent).toBe('ada')
    stream.event(id(2), { type: 'changes', from: id(1), entered: [one('bob')] })
    await delivered()
    expect(page.textContent).toBe('ada,bob')
    stream.event(id(3), { type: 'changes', from: id(2), left: [{ connectionId: 'ada', at: 3, reason: 'left' }] })
    await delivered()
    expect(page.textContent).toBe('bob')
  })

  test('useOthers with a selector renders a component again only when the selected value changes', async () => {
    const renders = { count: vi.fn<() => void>(), names: vi.fn<() => void>() }
    function Count() {
      renders.count()
      return useOthers((others) => others.length)
    }
    function Names() {
      renders.names()
      const names = useOthers(
        (others) => others.map(({ memberId }) => memberId),
        (a, b) => a.join() === b.join(),
      )
      return names.join()
    }
    await render(inRoom([<Count key="count" />, <Names key="names" />]))
    const stream = await live(one('ada', 1, cell(1)))
    expect(page.textContent).toBe('1ada')
    vi.clearAllMocks()
    for (let version = 1; version <= 20; version++) {
      const changed = [{ connectionId: 'ada', at: version + 1, location: cell(version + 1) }]
      stream.event(id(version + 1), { type: 'changes', from: id(version), changed })
      await delivered()
    }
    expect(renders.count).not.toHaveBeenCalled()
    expect(renders.names).not.toHaveBeenCalled()
  })

  test('useSelf shows our own post at once', async () => {
    function Me() {
      const post = usePost()
      return <button onClick={() => post(cell(5))}>{useSelf((self) => self.location?.row ?? 'nowhere')}</button>
    }
    await render(inRoom(<Me />))
    await live()
    expect(page.textContent).toBe('nowhere')
    await act(async () => page.querySelector('button')!.click())
    expect(page.textContent).toBe('5')
    await delivered()
  })

  test('useMembersAt renders only the cells again whose members changed', async () => {
    const renders: number[] = []
    function Cell({ row }: { row: number }) {
      renders.push(row)
      return <i>{namesOf(useMembersAt(cell(row)))};</i>
    }
    await render(inRoom([1, 2, 3].map((row) => <Cell key={row} row={row} />)))
    const stream = await live(one('ada', 1, cell(1)))
    expect(page.textContent).toBe('ada;;;')
    renders.length = 0
    stream.event(id(2), { type: 'changes', from: id(1), changed: [{ connectionId: 'ada', at: 2, location: cell(2) }] })
    await delivered()
    expect(page.textContent).toBe(';ada;;')
    expect(renders.toSorted((a, b) => a - b)).toEqual([1, 2])
  })

  test('useRoomEvent passes an event to the listener of the latest render only', async () => {
    const heard: string[] = []
    function Log({ prefix }: { prefix: string }) {
      useRoomEvent('entered', ({ member }) => heard.push(prefix + member.memberId))
      return null
    }
    await render(inRoom(<Log prefix="a:" />))
    const stream = await live()
    await render(inRoom(<Log prefix="b:" />))
    stream.event(id(2), { type: 'changes', from: id(1), entered: [one('ada')] })
    await delivered()
    expect(heard).toEqual(['b:ada'])
  })

  test('usePost and useRoom return the same values in each render', async () => {
    const seen = new Set<unknown>()
    function Keep() {
      seen.add(usePost()).add(useRoom())
      return useStatus().state
    }
    await render(<StrictMode>{inRoom(<Keep />)}</StrictMode>)
    await live(one('ada'))
    const before = seen.size
    await render(<StrictMode>{inRoom(<Keep />)}</StrictMode>)
    expect(page.textContent).toBe('live')
    expect(seen.size).toBe(before)
  })

  test('useOtherIds returns the same array until a member enters or leaves', async () => {
    const seen = new Set<readonly string[]>()
    function Ids() {
      const ids = useOtherIds()
      seen.add(ids)
      return ids.join()
    }
    await render(inRoom(<Ids />))
    const stream = await live(one('ada'))
    const before = seen.size
    stream.event(id(2), { type: 'changes', from: id(1), changed: [{ connectionId: 'ada', at: 2, location: cell(2) }] })
    await delivered()
    expect(seen.size).toBe(before)
    stream.event(id(3), { type: 'changes', from: id(2), entered: [one('bob', 3)] })
    await delivered()
    expect(page.textContent).toBe('ada,bob')
  })

  test('useUpdateProfile returns a stable function that posts our profile', async () => {
    const seen = new Set<unknown>()
    function Rename() {
      const update = useUpdateProfile()
      seen.add(update)
      return <button onClick={() => update({ name: 'Ada' })}>{useStatus().state}</button>
    }
    await render(inRoom(<Rename />))
    await live()
    await act(async () => page.querySelector('button')!.click())
    await clock.advance(100)
    expect(await server.post()).toMatchObject({ profile: { name: 'Ada' } })
    expect(seen.size).toBe(1)
  })
})

describe('a provider with `watch`', () => {
  const watching = (children: ReactNode) => (
    <RoomProvider client={client} room="r" watch profile={{ name: 'Ada' }}>
      {children}
    </RoomProvider>
  )

  test('a provider with `watch` shows the members of the room and posts nothing', async () => {
    const Others = () => namesOf(useOthers())
    await render(watching(<Others />))
    const stream = await act(() => server.stream())
    stream.hello()
    stream.snapshot(id(1), one('ada'))
    await delivered()
    expect(page.textContent).toBe('ada')
    expect(server.waiting()).toEqual({ streams: 0, posts: 0, leaves: 0 })
  })

  test.each([
    ['usePost', usePost],
    ['useUpdateProfile', useUpdateProfile],
  ])('a provider with `watch` makes %s throw an error that names `watch`', (_name, useIt) => {
    function Poster() {
      useIt()
      return null
    }
    expect(() => renderToString(watching(<Poster />))).toThrow('`watch`')
  })
})
