import type { CellLocation, RoomTypesWith } from 'hereabouts'
import type { Lock, Room } from 'hereabouts/client'
import { expect, test, vi } from 'vitest'
import { createLockHolder } from '../../src/bindings/used-lock.js'

/* What the bindings of all frameworks do with a lock that is granted in an unlucky moment. */

type Locked = RoomTypesWith<{ location: CellLocation; locks: true }>
const cell: CellLocation = { sheet: 'Q3', row: 1, col: 1 }

/** A holder, and a room whose answers come when a test says so. */
function stage() {
  const held: (Lock<Locked> | null)[] = []
  const holder = createLockHolder<Locked>((lock) => held.push(lock))
  const answers: ((lock: Lock<Locked> | null) => void)[] = []
  const room = {
    lock: () => new Promise<Lock<Locked> | null>((resolve) => answers.push(resolve)),
  } as unknown as Room<Locked>
  const controller = new AbortController()
  const release = vi.fn(async () => {})
  const lock: Lock<Locked> = { location: cell, fence: 1, signal: controller.signal, release }
  return { holder, room, answers, held, lock, lose: () => controller.abort() }
}

test('a lock that is granted in the moment in which it is given up is released', async () => {
  const { holder, room, answers, held, lock } = stage()
  const acquired = holder.acquire(room, cell)
  answers[0]!(lock)
  await holder.release()
  expect(await acquired).toBe(false)
  expect(lock.release).toHaveBeenCalledOnce()
  expect(held).toEqual([null])
})

test('a lock that is granted late, after another call for a place, is released, and the newer call holds', async () => {
  const { holder, room, answers, held, lock } = stage()
  const first = holder.acquire(room, cell)
  await holder.release()
  const second = holder.acquire(room, cell)
  const newer = { ...lock, release: vi.fn(async () => {}) }
  answers[0]!(lock)
  answers[1]!(newer)
  expect(await Promise.all([first, second])).toEqual([false, true])
  expect([lock, newer].map(({ release }) => vi.mocked(release).mock.calls.length)).toEqual([1, 0])
  expect(held).toEqual([null, newer])
})

test('a lock that was lost before the component heard of it is not held', async () => {
  const { holder, room, answers, held, lock, lose } = stage()
  const acquired = holder.acquire(room, cell)
  answers[0]!(lock)
  lose()
  expect(await acquired).toBe(false)
  expect(held).toEqual([])
  // The place can be asked for again.
  void holder.acquire(room, cell)
  expect(answers).toHaveLength(2)
})
