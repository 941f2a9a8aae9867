// @vitest-environment jsdom
import { act } from 'react'
import { LocationError } from 'hereabouts'
import type { RoomStatus } from 'hereabouts/client'
import { Announcer, AvatarStack, ConnectionNotice } from 'hereabouts/react/ui'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { CursorLayer } from '../../../src/react/ui/cursor-layer.js'
import { animate, cancelAnimation } from '../../../src/react/ui/frame-loop.js'
import { recordCollections } from '../../support/collections.js'
import { countedClock } from '../../support/counted-clock.js'
import { fire, member, mounted, TestRoom } from './support.js'

/* Components of the kit in which something happens a second time, and what they let go of. */

const error = new LocationError('network', 'No answer.')
const live: RoomStatus = { state: 'live' }
const connecting: RoomStatus = { state: 'connecting' }

describe('a notice', () => {
  test('each interruption has five seconds of its own, and a notice that is gone keeps no timer', async () => {
    const clock = countedClock()
    const notice = (status: RoomStatus) => <ConnectionNotice status={status} clock={clock} />
    await using view = await mounted(notice(live))
    const text = () => view.host.querySelector('[role=status]')!.textContent
    for (let time = 0; time < 3; time++) {
      await view.show(notice(connecting))
      await act(async () => clock.advance(1_000))
      await view.show(notice(live))
      expect(clock.pending).toBe(0)
      await act(async () => clock.advance(60_000))
    }
    await view.show(notice(connecting))
    expect(text()).toBe('')
    await act(async () => clock.advance(5_000))
    expect(text()).not.toBe('')
    await view.show(notice(live))
    await view.show(notice(connecting))
    expect(text()).toBe('')
    await view.show(notice({ state: 'waiting', retryAt: new Date(clock.date().getTime() + 60_000), attempt: 2, error }))
    await act(async () => clock.advance(5_000))
    expect(view.host.querySelector('button')).toBe(null)
    expect(clock.pending).toBe(1)
    await view.show(null)
    expect(clock.pending).toBe(0)
  })

  test('the countdown ends at the next attempt', async () => {
    const clock = countedClock()
    const retryAt = new Date(clock.date().getTime() + 7_000)
    await using view = await mounted(
      <ConnectionNotice status={{ state: 'waiting', retryAt, attempt: 1, error }} clock={clock} />,
    )
    const shown: string[] = []
    for (let s = 0; s < 9; s++) {
      await act(async () => clock.advance(1_000))
      shown.push(view.host.querySelector('.hb-countdown')?.textContent ?? '-')
    }
    expect(shown).toEqual(['-', '-', '-', '-', 'Trying again in 2 s', 'Trying again in 1 s', '', '', ''])
    expect(clock.pending).toBe(0)
  })
})

describe('an announcer', () => {
  test('an announcer that is gone, or has another room, keeps neither timer nor listener of the room before', async () => {
    const clock = countedClock()
    const [one, two] = [new TestRoom(), new TestRoom()]
    await using view = await mounted(<Announcer room={one} clock={clock} />)
    one.emit('entered', member('Ada'))
    expect(clock.pending).toBe(1)
    await view.show(<Announcer room={two} clock={clock} />)
    expect([clock.pending, one.listening]).toEqual([0, 0])
    two.emit('entered', member('Bo'))
    await act(async () => clock.advance(4_000))
    expect(view.host.textContent).toBe('Bo joined.')
    await act(async () => clock.advance(4_000))
    expect([view.host.textContent, clock.pending]).toEqual(['', 0])
    two.emit('left', member('Bo'))
    await act(async () => clock.advance(4_000))
    expect(view.host.textContent).toBe('Bo left.')
    await view.show(null)
    expect([clock.pending, two.listening]).toEqual([0, 0])
  })

  test('an announcer uses the words of the latest render', async () => {
    const clock = countedClock()
    const room = new TestRoom()
    const say = (word: string) => (
      <Announcer room={room} clock={clock} labels={{ entered: (names) => `${names.join()} ${word}` }} />
    )
    await using view = await mounted(say('kam'))
    await view.show(say('vint'))
    room.emit('entered', member('Ada'))
    await act(async () => clock.advance(4_000))
    expect(view.host.textContent).toBe('Ada vint')
  })
})

test('a member who replaces a broken picture is shown with the new one, and the broken one again as initials', async () => {
  const shown = (avatar: string) => <AvatarStack members={[member('Ada', { profile: { name: 'Ada', avatar } })]} />
  await using view = await mounted(shown('https://a/broken'))
  const picture = () => view.host.querySelector('img')?.getAttribute('src') ?? null
  await fire(view.host.querySelector('img')!, new Event('error'))
  expect(picture()).toBe(null)
  await view.show(shown('https://a/good'))
  expect(picture()).toBe('https://a/good')
  await view.show(shown('https://a/broken'))
  expect(picture()).toBe(null)
})

describe('the frame loop', () => {
  let frames: Map<number, FrameRequestCallback>
  let handle = 0
  let now = 0
  beforeEach(() => {
    frames = new Map()
    vi.stubGlobal('requestAnimationFrame', (run: FrameRequestCallback) => {
      frames.set(++handle, run)
      return handle
    })
    vi.stubGlobal('cancelAnimationFrame', (which: number) => frames.delete(which))
  })
  afterEach(() => vi.unstubAllGlobals())
  const frame = (ms: number) => {
    const due = [...frames.values()]
    frames.clear()
    for (const run of due) run((now += ms))
  }

  test('animations share one frame, each has the time since the frame before, and the loop begins anew', () => {
    for (let time = 0; time < 3; time++) {
      const elapsed: number[] = []
      let left = 3
      const one = (ms: number) => {
        elapsed.push(ms)
        return --left > 0
      }
      const two = () => false
      animate(one)
      animate(two)
      animate(one)
      expect(frames.size).toBe(1)
      for (const ms of [1_000, 20, 30]) frame(ms)
      expect([elapsed, frames.size]).toEqual([[16, 20, 30], 0])
    }
  })

  test('an animation that was cancelled is not called', () => {
    let calls = 0
    const one = () => ++calls > 0
    animate(one)
    cancelAnimation(one)
    frame(16)
    expect([calls, frames.size]).toEqual([0, 0])
  })

  test('a layer of cursors remembers no cursor without an element', () => {
    const recorded = recordCollections()
    const layer = new CursorLayer()
    const element = document.createElement('i')
    for (let i = 0; i < 300; i++) {
      layer.bind(new Map([[`m${i}`, element]]))
      layer.move(`m${i}`, { x: i, y: 0 }, true)
      layer.move(`m${i}`, { x: i + 5, y: 0 }, false)
    }
    layer.bind(new Map())
    frame(16)
    recorded.stop()
    expect([recorded.largest() < 3, frames.size]).toEqual([true, 0])
  })
})
