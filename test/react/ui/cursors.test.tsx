// @vitest-environment jsdom
import { Profiler } from 'react'
import { act } from 'react'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Cursors } from 'hereabouts/react/ui'
import { member, mounted, TestRoom, type TestMember, type View } from './support.js'

type Point = { x: number; y: number }
const at = (name: string, x: number, y: number, more: Partial<TestMember> = {}) =>
  member(name, { location: { x, y }, ...more })
const point = ({ location }: TestMember) => location as Point | null

/** The requested animation frames, which run when a test calls `frame`. */
let frames: { handle: number; run: FrameRequestCallback }[] = []
let now = 0
let handles = 0
const frame = (elapsedMs = 16) => {
  now += elapsedMs
  for (const { run } of frames.splice(0)) run(now)
}
let still = false
beforeEach(() => {
  frames = []
  still = false
  vi.stubGlobal('requestAnimationFrame', (run: FrameRequestCallback) => {
    frames.push({ handle: (handles += 1), run })
    return handles
  })
  vi.stubGlobal('cancelAnimationFrame', (cancelled: number) => {
    frames = frames.filter(({ handle }) => handle !== cancelled)
  })
  vi.stubGlobal('matchMedia', () => ({ matches: still }))
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

const cursor = (view: View, i = 0) => view.all('.hb-cursor')[i]!
const x = (view: View, i = 0) => Number(/translate\((-?[\d.]+)px/.exec(cursor(view, i).style.transform)?.[1])

test('cursors glide in one frame loop, which stops when all cursors have arrived', async () => {
  const room = new TestRoom()
  room.set(at('Ada', 0, 0), at('Bo', 100, 0))
  await using view = await mounted(<Cursors room={room} point={point} coordinates="pixels" />)
  expect([x(view, 0), x(view, 1)]).toEqual([0, 100])
  expect(frames).toEqual([])
  room.set(at('Ada', 100, 0), at('Bo', 0, 0))
  expect(frames.length).toBe(1)
  frame()
  const first = x(view, 0)
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(100)
  for (let i = 0; i < 60; i++) frame()
  expect([x(view, 0), x(view, 1)]).toEqual([100, 0])
  expect(frames).toEqual([])
})

test('a layer that stops and begins again between two frames keeps one frame loop, and none when it is gone', async () => {
  const rooms = [new TestRoom(), new TestRoom()]
  await using view = await mounted(null)
  for (let nth = 0; nth < 6; nth++) {
    const room = rooms[nth % 2]!
    room.set(at('Ada', 0, 0))
    await view.show(<Cursors room={room} point={point} coordinates="pixels" />)
    room.set(at('Ada', 100 + nth, 0))
    expect(frames.length).toBe(1)
  }
  frame()
  expect(frames.length).toBe(1)
  await view.show(null)
  expect(frames).toEqual([])
})

test('moves of cursors are written to the elements and cause no commit in React', async () => {
  const room = new TestRoom()
  let commits = 0
  room.set(at('Ada', 0, 0))
  await using view = await mounted(
    <Profiler id="cursors" onRender={() => commits++}>
      <Cursors room={room} point={point} coordinates="pixels" />
    </Profiler>,
  )
  const before = commits
  await act(async () => {
    for (let i = 1; i <= 50; i++) {
      // The profile stays the same object, as for a member who only moves.
      room.set({ ...room.members[0]!, location: { x: i, y: i } })
      frame()
    }
  })
  expect(commits).toBe(before)
  await act(async () => room.set(...room.members, at('Bo', 1, 1)))
  expect(commits).toBe(before + 1)
  expect(view.all('.hb-cursor').length).toBe(2)
})

test.each([
  { when: 'reduced motion is preferred', isStill: true, to: 100, caughtUp: false },
  { when: 'it is far', isStill: false, to: 5_000, caughtUp: false },
  { when: 'the move happened while we were disconnected', isStill: false, to: 100, caughtUp: true },
])('a cursor jumps when $when', async ({ isStill, to, caughtUp }) => {
  still = isStill
  const room = new TestRoom()
  room.set(at('Ada', 0, 0))
  await using view = await mounted(<Cursors room={room} point={point} coordinates="pixels" />)
  room.set(at('Ada', to, 0))
  room.emit('moved', room.members[0]!, caughtUp)
  expect(x(view)).toBe(to)
  frame()
  expect(x(view)).toBe(to)
})

test('a cursor whose point is missing or no pair of numbers is hidden', async () => {
  const room = new TestRoom()
  room.set(at('Ada', 5, 5), member('Bo'), at('Cy', NaN, 1))
  await using view = await mounted(<Cursors room={room} point={point} coordinates="pixels" />)
  expect(view.all('.hb-cursor').map(({ hidden }) => hidden)).toEqual([false, true, true])
  room.set({ ...room.members[0]!, location: null }, { ...room.members[1]!, location: { x: 7, y: 7 } }, room.members[2]!)
  expect(view.all('.hb-cursor').map(({ hidden }) => hidden)).toEqual([true, false, true])
  expect(x(view, 1)).toBe(7)
})

test('relative points of cursors are fractions of the area', async () => {
  const room = new TestRoom()
  room.set(at('Ada', 0.5, 0.25))
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(400)
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(200)
  await using view = await mounted(<Cursors room={room} point={point} />)
  expect(cursor(view).style.transform).toBe('translate(200.0px, 50.0px)')
})

test('our own pointer is published over the area, and `null` when it leaves, the window loses focus or we unmount', async () => {
  const published: (Point | null)[] = []
  const publish = (point: Point | null) => void published.push(point)
  await using view = await mounted(
    <Cursors room={new TestRoom()} point={point} publish={publish} coordinates="pixels" />,
  )
  const area = view.host.querySelector('.hb-area')!
  const move = () => area.dispatchEvent(new MouseEvent('pointermove', { clientX: 3, clientY: 4 }))
  move()
  area.dispatchEvent(new MouseEvent('pointerleave'))
  move()
  window.dispatchEvent(new Event('blur'))
  window.dispatchEvent(new Event('blur'))
  move()
  await view.show(null)
  expect(published).toEqual([{ x: 3, y: 4 }, null, { x: 3, y: 4 }, null, { x: 3, y: 4 }, null])
})

test('cursors are hidden from screen readers, their names are not translated, and unmounting removes all listeners', async () => {
  const room = new TestRoom()
  room.set(at('Ada', 1, 1, { activity: 'idle' }))
  await using view = await mounted(
    <Cursors room={room} point={point} label={({ profile }) => `${profile!.name}!`}>
      <p>content</p>
    </Cursors>,
  )
  expect(view.host.querySelector('.hb-cursors')!.getAttribute('aria-hidden')).toBe('true')
  expect(view.host.querySelector('.hb-cursor bdi')!.outerHTML).toBe('<bdi translate="no">Ada!</bdi>')
  expect(cursor(view).dataset['activity']).toBe('idle')
  expect(view.host.querySelector('.hb-area > p')!.textContent).toBe('content')
  expect(room.listening).toBeGreaterThan(0)
  await view.show(null)
  expect(room.listening).toBe(0)
  expect(frames).toEqual([])
})
