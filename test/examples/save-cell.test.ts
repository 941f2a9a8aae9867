import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import { createLocationClient, type RoomTypesOf, type Room } from 'hereabouts/client'
import { afterAll, expect, test } from 'vitest'
import { createSheetServer, type AppRouter } from '../../examples/spreadsheet/server.mjs'

/* The demo's own procedures, over HTTP, with locks of real clients. */

// A short time after the start: then no claims of locks are collected any more.
const server = createSheetServer('examples/spreadsheet', { scale: 1 / 20 })
const { trpcUrl } = await server.listen(0)
const client = createLocationClient<AppRouter>({ url: trpcUrl })
const api = createTRPCClient<AppRouter>({ links: [httpLink({ url: trpcUrl })] })
afterAll(async () => {
  await client.close()
  await server.close()
})

const location = { sheet: 'Plan', row: 4, col: 1 }
const live = async (room: Room<RoomTypesOf<AppRouter>>) => {
  room.post(location)
  await room.flush()
  return room.self!.memberId
}
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: unknown) => (error instanceof TRPCClientError ? error.data?.code : String(error)),
  )

test('a cell is saved by the holder of its lock, and the others hear of it', async () => {
  const ada = client.join('saved', { profile: { name: 'Ada' } })
  const memberId = await live(ada)
  const lock = (await ada.lock(location))!
  const heard = new Promise((resolve) => ada.onBroadcast('changed', resolve))
  const step = await api.saveCell.mutate({
    room: 'saved',
    cell: { ...location, text: 'x' },
    memberId,
    fence: lock.fence,
  })
  expect(await heard).toMatchObject({ memberId: null, payload: { ...step, cell: { ...location, text: 'x' } } })
  expect(await api.cells.query({ room: 'saved' })).toEqual({
    revision: step.revision,
    cells: [{ ...location, text: 'x' }],
  })
  await api.resetCells.mutate({ room: 'saved' })
  expect((await api.cells.query({ room: 'saved' })).cells).toEqual([])
})

test('a save without the lock, or with a lock that was lost, is refused with a clear sentence', async () => {
  const room = 'refused'
  const ada = client.join(room, { profile: { name: 'Ada' } })
  const memberId = await live(ada)
  const save = (fence: number) => api.saveCell.mutate({ room, cell: { ...location, text: 'x' }, memberId, fence })
  const lock = (await ada.lock(location))!
  expect(await codeOf(save(lock.fence + 1))).toBe('CONFLICT')
  await server.hub.room(room).unlock(location)
  await expect(save(lock.fence)).rejects.toThrow('Your turn to edit this cell is over, so it was not saved.')
  expect((await api.cells.query({ room })).cells).toEqual([])
})

test('cells outside of the sheets, and long texts, are bad requests', async () => {
  const save = (cell: object) =>
    codeOf(api.saveCell.mutate({ room: 'bad', cell: { ...location, text: 'x', ...cell }, memberId: 'ada', fence: 1 }))
  for (const cell of [{ sheet: 'Nowhere' }, { row: 200 }, { col: 26 }, { row: -1 }, { text: 'x'.repeat(201) }])
    expect(await save(cell)).toBe('BAD_REQUEST')
})

test('a room is changed at most 20 times a second', async () => {
  const codes = await Promise.all(Array.from({ length: 45 }, () => codeOf(api.resetCells.mutate({ room: 'busy' }))))
  expect(codes).toContain('TOO_MANY_REQUESTS')
  expect(codes).toContain('ok')
})
