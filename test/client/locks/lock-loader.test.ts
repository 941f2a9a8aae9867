import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { expect, test, vi } from 'vitest'

const chunk = '../../../src/client/locks/room-locks.js'

test('`lock` rejects with `network` when its code cannot be loaded, and the next call loads the code again', async () => {
  // Another test of this worker may have loaded the chunk already.
  vi.resetModules()
  const { fakeRoom } = await import('hereabouts/testing')
  await using fake = await fakeRoom<RoomTypesWith<{ location: CellLocation; locks: true }>>()
  const place = { sheet: 'Q3', row: 1, col: 1 }
  vi.doMock(chunk, () => {
    throw new Error('a deploy removed this chunk')
  })
  await expect(fake.room.lock(place)).rejects.toMatchObject({ name: 'LocationError', code: 'network' })
  vi.doUnmock(chunk)
  expect(await fake.room.lock(place)).toMatchObject({ location: place })
})
