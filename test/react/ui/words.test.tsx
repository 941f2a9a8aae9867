// @vitest-environment jsdom
import { act } from 'react'
import { LocationError } from 'hereabouts'
import type { RoomStatus } from 'hereabouts/client'
import { manualClock } from 'hereabouts/testing'
import { expect, test, vi } from 'vitest'
import { Announcer, ConnectionNotice, EditingBadge, MemberFlag } from 'hereabouts/react/ui'
import { click, member, mounted, TestRoom } from './support.js'

const error = new LocationError('unavailable', 'No route to the server.')
const live: RoomStatus = { state: 'live' }

test('a flag shows the name on the colour of the member, and the activity in words', async () => {
  await using view = await mounted(<MemberFlag member={member('Ada', { activity: 'idle' })} className="mine" />)
  const flag = view.host.querySelector<HTMLElement>('.hb-flag.mine')!
  expect(flag.textContent).toBe('Ada, idle')
  expect(flag.dataset['activity']).toBe('idle')
  expect(flag.style.getPropertyValue('--hb-color')).toMatch(/^#/)
})

test('an editing badge names the editor and makes its input read-only, but focusable and described by the badge', async () => {
  const field = (lock: { state: string; holder?: ReturnType<typeof member> | null } | null) => (
    <EditingBadge lock={lock}>{(input) => <input {...input} />}</EditingBadge>
  )
  await using view = await mounted(field({ state: 'taken', holder: member('Ada') }))
  const input = view.host.querySelector('input')!
  expect([input.readOnly, input.disabled, input.tabIndex]).toEqual([true, false, 0])
  expect(document.getElementById(input.getAttribute('aria-describedby')!)!.textContent).toBe('Ada is editing')
  await view.show(field({ state: 'otherWindow', holder: null }))
  expect(view.host.textContent).toBe('You are editing in another window')
  await view.show(field({ state: 'taken', holder: null }))
  expect(view.host.textContent).toBe('Someone is editing')
  for (const lock of [null, { state: 'free' }, { state: 'mine' }]) {
    await view.show(field(lock))
    expect(view.host.textContent).toBe('')
    expect([input.readOnly, input.getAttribute('aria-describedby')]).toEqual([false, null])
  }
})

test('a name that changes the direction of writing is isolated from the rest of a badge', async () => {
  const lock = { state: 'taken', holder: member('Ada \u202eevil') }
  await using view = await mounted(<EditingBadge lock={lock} />)
  // The name is enclosed in isolates, which end the effect of U+202E before the rest of the sentence.
  expect(view.host.textContent).toBe('\u2068Ada \u202eevil\u2069 is editing')
})

test('a notice appears after 5 s, counts down outside of its live region, and is empty while the room is live', async () => {
  const clock = manualClock()
  const onRetry = vi.fn()
  const notice = (status: RoomStatus) => <ConnectionNotice status={status} onRetry={onRetry} clock={clock} />
  const waiting = (): RoomStatus => ({
    state: 'waiting',
    retryAt: new Date(clock.date().getTime() + 3_000),
    attempt: 1,
    error,
  })
  await using view = await mounted(notice(live))
  const region = view.host.querySelector('[role=status]')!
  await view.show(notice({ state: 'connecting', error }))
  await act(async () => clock.advance(4_999))
  await view.show(notice(waiting()))
  expect(view.host.textContent).toBe('')
  await act(async () => clock.advance(1))
  expect(region.textContent).toBe('Connection lost. Others may have moved on.')
  expect(view.host.querySelector('.hb-countdown')!.textContent).toBe('Trying again in 3 s')
  expect(region.contains(view.host.querySelector('.hb-countdown'))).toBe(false)
  await act(async () => clock.advance(1_000))
  expect(view.host.querySelector('.hb-countdown')!.textContent).toBe('Trying again in 2 s')
  await click(view.host.querySelector('button')!)
  expect(onRetry).toHaveBeenCalledOnce()
  await view.show(notice({ state: 'connecting' }))
  expect(region.textContent).toBe('Connection lost. Others may have moved on.')
  await view.show(notice(live))
  expect(view.host.textContent).toBe('')
  expect(view.host.querySelector('[role=status]')).toBe(region)
  await view.show(notice(waiting()))
  await act(async () => clock.advance(4_000))
  expect(view.host.textContent).toBe('')
})

test('a notice reports a closed room at once, refused posts or a degraded server after 5 s, and polling never', async () => {
  const clock = manualClock()
  await using view = await mounted(null)
  const said = async (status: RoomStatus, afterMs: number) => {
    await view.show(<ConnectionNotice key={JSON.stringify(status)} status={status} clock={clock} />)
    await act(async () => clock.advance(afterMs))
    return view.host.querySelector('[role=status]')!.textContent
  }
  expect(await said({ state: 'closed', reason: 'forbidden', error }, 0)).toContain('No route to the server.')
  expect(await said({ state: 'closed', reason: 'left', error: null }, 9_000)).toBe('')
  expect(await said({ state: 'live', postError: error }, 5_000)).toContain('Others cannot see where you are.')
  expect(await said({ state: 'degraded' }, 5_000)).toContain('server is having trouble')
  expect(await said({ state: 'polling', error }, 9_000)).toBe('')
})

test('an announcer tells who joined and left, at most every 4 s, and never who moved', async () => {
  const clock = manualClock()
  const room = new TestRoom()
  await using view = await mounted(<Announcer room={room} clock={clock} />)
  const region = view.host.querySelector('[aria-live=polite]')!
  const after = async (ms: number) => {
    await act(async () => clock.advance(ms))
    return region.textContent
  }
  room.emit('moved', member('Ada'))
  expect(await after(9_000)).toBe('')
  room.emit('entered', member('Ada'))
  room.emit('entered', member('Bo'))
  room.emit('entered', member('Cy'))
  room.emit('left', member('Cy'))
  room.emit('left', member('Di'))
  room.emit('entered', member('Eve'), true)
  expect(await after(3_999)).toBe('')
  expect(await after(1)).toBe('Ada and Bo joined. Di left.')
  expect(await after(4_000)).toBe('')
  // They came and went, or went and came back, while it was silent: only the first half was seen as it happened.
  room.emit('entered', member('Fay'))
  room.emit('left', member('Fay'), true)
  room.emit('left', member('Bo'))
  room.emit('entered', member('Bo'), true)
  room.emit('left', member('Cy'))
  expect(await after(4_000)).toBe('Cy left.')
  expect(await after(4_000)).toBe('')
  for (const name of ['A', 'B', 'C', 'D', 'E']) room.emit('entered', member(name))
  expect(await after(4_000)).toBe('A, B, C and 2 more joined.')
  room.emit('left', member('A'))
  await view.show(null)
  expect(room.listening).toBe(0)
})
