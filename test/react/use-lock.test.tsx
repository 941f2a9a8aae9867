// @vitest-environment jsdom
import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { createLocationHooks } from 'hereabouts/react'
import { fakeRoom } from 'hereabouts/testing'
import { act, useEffect, useLayoutEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, onTestFinished, test } from 'vitest'

type Locked = RoomTypesWith<{ location: CellLocation; locks: true }>
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })
const cell = (row: number) => ({ sheet: 'Q3', row, col: 1 })

async function stage(onLayout?: (row: number, acquire: () => Promise<boolean>) => void) {
  const fake = await fakeRoom<Locked>({ others: { ada: {} } })
  onTestFinished(() => fake.close())
  const { RoomProvider, useLock } = createLocationHooks(fake.client)
  const seen: { lock?: ReturnType<typeof useLock> } = {}
  function Editor({ row }: { row: number }) {
    const lock = useLock(cell(row))
    useEffect(() => void (seen.lock = lock))
    const { acquire } = lock
    useLayoutEffect(() => onLayout?.(row, acquire), [row, acquire])
    return <i>{lock.state}</i>
  }
  const root = createRoot(document.createElement('main'))
  const render = (row: number | null) =>
    act(async () =>
      root.render(<RoomProvider room={fake.room.id}>{row !== null && <Editor row={row} />}</RoomProvider>),
    )
  await render(1)
  onTestFinished(() => act(async () => root.unmount()))
  return { fake, render, seen }
}

test('useLock shows who has a place, acquires it when it is free, and releases it', async () => {
  const { fake, seen } = await stage()
  expect(seen.lock!.state).toBe('free')
  await act(() => fake.locks('ada', cell(1)))
  expect(seen.lock).toMatchObject({ state: 'taken', holder: { memberId: 'ada' } })
  expect(await act(() => seen.lock!.acquire())).toBe(false)
  await act(() => fake.unlocks('ada', cell(1)))
  expect(seen.lock!.state).toBe('free')
  expect(await act(() => seen.lock!.acquire())).toBe(true)
  expect(seen.lock).toMatchObject({ state: 'mine', lock: { location: cell(1) } })
  expect(fake.room.lockedBy(cell(1))?.memberId).toBe('me')
  await act(() => seen.lock!.release())
  expect(fake.room.lockedBy(cell(1))).toBe(null)
})

test('useLock releases a place when its location changes, and when the component is unmounted', async () => {
  const { fake, render, seen } = await stage()
  await act(() => seen.lock!.acquire())
  await render(2)
  expect(seen.lock!.state).toBe('free')
  expect(fake.room.lockedBy(cell(1))).toBe(null)
  await act(() => seen.lock!.acquire())
  expect(fake.room.lockedBy(cell(2))?.memberId).toBe('me')
  await render(null)
  expect(fake.room.lockedBy(cell(2))).toBe(null)
})

test.each([true, false])(
  'acquire in a layout effect takes the new place after its location changed (a lock was held before: %j)',
  async (hadOne) => {
    const acquired: Promise<boolean>[] = []
    const { fake, render, seen } = await stage((row, acquire) => {
      if (row === 2) acquired.push(acquire())
    })
    if (hadOne) await act(() => seen.lock!.acquire())
    await render(2)
    expect(await act(() => Promise.all(acquired))).toEqual([true])
    expect(seen.lock).toMatchObject({ state: 'mine', lock: { location: cell(2) } })
    expect([1, 2].map((row) => fake.room.lockedBy(cell(row))?.memberId)).toEqual([undefined, 'me'])
  },
)
