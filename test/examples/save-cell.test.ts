import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client'
import { createLocationClient, type RoomTypesOf, type Room } from 'hereabouts/client'
import { afterAll, expect, test, vi } from 'vitest'
import { createSheetServer, type AppRouter } from '../../examples/spreadsheet/server.mjs'

/* The spreadsheet demo's own procedures over HTTP, with the locks of real clients. */

// With times scaled by 1/20, the server collects claims of locks only for a short time after its start.
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
  // A broadcast reaches only a page whose stream is open.
  await vi.waitFor(() => expect(room.status.state).toBe('live'), 10_000)
  return room.self!.memberId
}
/** Runs `work` with a stopped `Date`, so that limits per second are not reset meanwhile. */
const inOneSecond = async <T>(work: () => Promise<T>) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    return await work()
  } finally {
    vi.useRealTimers()
  }
}
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: unknown) => (error instanceof TRPCClientError ? error.data?.code : String(error)),
  )

test("the holder of a cell's lock saves the cell, and the other members receive a broadcast of the change", async () => {
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

test('a save of a cell without its lock, or with a lock that was lost, is refused', async () => {
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

test('saving a cell outside of the sheets, or a text that is too long, is a BAD_REQUEST', async () => {
  const save = (cell: object) =>
    codeOf(api.saveCell.mutate({ room: 'bad', cell: { ...location, text: 'x', ...cell }, memberId: 'ada', fence: 1 }))
  for (const cell of [{ sheet: 'Nowhere' }, { row: 200 }, { col: 26 }, { row: -1 }, { text: 'x'.repeat(201) }])
    expect(await save(cell)).toBe('BAD_REQUEST')
})

test("an invalid room id is a BAD_REQUEST of each of the demo's procedures", async () => {
  for (const room of ['\u0000', '\u200b', ' ', '', '\ud800', 'x'.repeat(129)]) {
    const errors = [
      api.cells.query({ room }),
      api.resetCells.mutate({ room }),
      api.saveCell.mutate({ room, cell: { ...location, text: 'x' }, memberId: 'ada', fence: 1 }),
    ].map((call) => call.catch((error: unknown) => error))
    for (const error of await Promise.all(errors))
      expect(error).toMatchObject({
        message: expect.stringContaining('bad-input: A room id must'),
        data: { code: 'BAD_REQUEST' },
      })
  }
})

test('room ids that differ only in their Unicode normal form share the same cells', async () => {
  const room = client.join('caf\u00e9', { profile: { name: 'Ada' } })
  const memberId = await live(room)
  const { fence } = (await room.lock(location))!
  await api.saveCell.mutate({ room: 'cafe\u0301', cell: { ...location, text: 'x' }, memberId, fence })
  for (const name of ['caf\u00e9', 'cafe\u0301'])
    expect((await api.cells.query({ room: name })).cells).toEqual([{ ...location, text: 'x' }])
})

test('a room of the demo accepts at most 20 saves a second, and refuses more with TOO_MANY_REQUESTS', async () => {
  const room = client.join('busy', { profile: { name: 'Ada' } })
  const memberId = await live(room)
  const { fence } = (await room.lock(location))!
  const save = () => codeOf(api.saveCell.mutate({ room: 'busy', cell: { ...location, text: 'x' }, memberId, fence }))
  const codes = await inOneSecond(() => Promise.all(Array.from({ length: 45 }, save)))
  expect(codes.filter((code) => code === 'ok').length).toBe(20)
  expect(codes.filter((code) => code === 'TOO_MANY_REQUESTS').length).toBe(25)
})

test('resetting 1,100 rooms without cells changes nothing in the rooms with cells', async () => {
  const room = client.join('kept', { profile: { name: 'Ada' } })
  const memberId = await live(room)
  const { fence } = (await room.lock(location))!
  const save = (text: string) =>
    codeOf(api.saveCell.mutate({ room: 'kept', cell: { ...location, text }, memberId, fence }))
  expect(await save('x')).toBe('ok')
  const { resetCells } = server.router.createCaller({})
  await inOneSecond(async () => {
    // All together, because a lock lasts for only 1.5 seconds on this server.
    const steps = await Promise.all(Array.from({ length: 1_100 }, (_, i) => resetCells({ room: `empty ${i}` })))
    expect(new Set(steps.map(({ revision }) => revision))).toEqual(new Set([0]))
    expect((await api.cells.query({ room: 'kept' })).cells.length).toBe(1)
    expect(await save('y')).toBe('ok')
  })
})

test('a cell text with a lone surrogate (half of an emoji) is refused', async () => {
  const save = api.saveCell.mutate({
    room: 'half',
    cell: { ...location, text: '\ud83d' },
    memberId: 'ada',
    fence: 1,
  })
  await expect(save).rejects.toThrow('The text contains half of a character.')
})
