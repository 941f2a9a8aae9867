import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { fakeRoom } from 'hereabouts/testing'
import { expect, test, vi } from 'vitest'

const chunk = '../../../src/client/locks/room-locks.js'

test('a lock whose code cannot be loaded is refused with a LocationError, and the next call loads it again', async () => {
  await using fake = await fakeRoom<RoomTypesWith<{ location: CellLocation; locks: true }>>()
  const place = { sheet: 'Q3', row: 1, col: 1 }
  vi.doMock(chunk, () => {
    throw new Error('a deploy removed this chunk')
  })
  await expect(fake.room.lock(place)).rejects.toMatchObject({ name: 'LocationError', code: 'network' })
  vi.doUnmock(chunk)
  expect(await fake.room.lock(place)).toMatchObject({ location: place })
})
