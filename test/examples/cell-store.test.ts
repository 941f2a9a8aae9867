import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import {
  afterChange,
  afterFetch,
  editsFrom,
  noEdits,
  saveQueue,
  type Edits,
} from '../../examples/spreadsheet/cell-edits.js'
import { memoryCells } from '../../examples/spreadsheet/cell-store.mjs'

/* How the spreadsheet demo stores cell values on its server, and keeps the copy in a page up to date. */

const cell = fc.record({
  sheet: fc.constantFrom('Plan', 'Q3'),
  row: fc.nat(2),
  col: fc.nat(2),
  text: fc.string({ maxLength: 4 }),
})

test('a cell value is not saved when its fence is lower than that of the last save of the cell', async () => {
  const store = memoryCells()
  const a1 = { sheet: 'Plan', row: 0, col: 0 }
  await store.save('demo', { ...a1, text: 'new' }, 20)
  expect(await store.save('demo', { ...a1, text: 'old' }, 19)).toBe(null)
  expect((await store.edits('demo')).cells).toEqual([{ ...a1, text: 'new' }])
  expect(await store.save('demo', { ...a1, text: 'again' }, 20)).not.toBe(null)
})

test('a page that applies cell changes, and fetches all cells when it missed a change, ends with the cells of the server', async () => {
  const steps = fc.array(fc.record({ cell: fc.option(cell, { freq: 6 }), isLost: fc.boolean() }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const store = memoryCells()
      let page: Edits = noEdits
      let fence = 0
      for (const { cell, isLost } of steps) {
        const step = cell ? await store.save('demo', cell, ++fence) : await store.reset('demo')
        if (!step || step === 'full') throw new Error('refused')
        if (!isLost)
          page = afterChange(page, { ...step, cell: cell ?? undefined }) ?? editsFrom(await store.edits('demo'))
      }
      // One more change, so that a page that missed the change before fetches all cells, as after a reconnect.
      const last = await store.save('demo', { sheet: 'Q3', row: 9, col: 9, text: 'end' }, ++fence)
      page =
        afterChange(page, { ...(last as { revision: number; after: number }) }) ?? editsFrom(await store.edits('demo'))
      expect(page).toEqual(editsFrom(await store.edits('demo')))
    }),
  )
})

test('a page ignores a cell change that it already has, and asks for a fetch when it missed the change before', () => {
  const page: Edits = { revision: 5, texts: new Map([['Plan!0!0', 'x']]) }
  expect(afterChange(page, { revision: 4, after: 3, cell: { sheet: 'Plan', row: 0, col: 0, text: 'old' } })).toBe(page)
  expect(afterChange(page, { revision: 7, after: 6, cell: { sheet: 'Plan', row: 0, col: 0, text: 'far' } })).toBe(null)
})

test("the demo's memory store keeps at most 2,000 cells of a room, and the cells of at most 500 rooms", async () => {
  const store = memoryCells()
  const save = (room: string, index: number) =>
    store.save(room, { sheet: 'Plan', row: index % 200, col: Math.floor(index / 200), text: 'x' }, 1)
  for (let i = 0; i < 2_000; i++) await save('demo', i)
  expect(await save('demo', 2_000)).toBe('full')
  expect(await save('demo', 0)).toMatchObject({ revision: expect.any(Number) })
  for (let i = 0; i < 500; i++) await save(`room ${i}`, 0)
  expect((await store.edits('demo')).cells).toEqual([])
  expect((await store.edits('room 499')).cells.length).toBe(1)
})

test('a page repeats a fetch of cells that a newer change overtook, and accepts the lower revision of a restarted server', () => {
  const at = (revision: number): Edits => ({ revision, texts: new Map() })
  const before = at(5)
  expect(afterFetch(at(7), before, at(6))).toBe(null)
  expect(afterFetch(at(7), before, at(7))).toEqual(at(7))
  expect(afterFetch(before, before, at(0))).toEqual(at(0))
})

test('a page sends the saves of one cell one after another, even if an earlier save failed', async () => {
  const inOrder = saveQueue()
  const sent: string[] = []
  let fail: (error: Error) => void = () => {}
  const answer = new Promise<void>((_, reject) => (fail = reject))
  const save = (key: string, text: string, lock: Promise<unknown>, until?: Promise<void>) =>
    inOrder(key, lock, async () => {
      sent.push(text)
      await until
    }).catch((error: Error) => error.message)
  const all = [
    save('A1', 'first', Promise.resolve(), answer),
    save('A1', 'without a lock', Promise.reject(new Error('taken'))),
    save('A1', 'last', Promise.resolve()),
    save('B1', 'other', Promise.resolve()),
  ]
  await all[3]
  expect(sent).toEqual(['first', 'other'])
  fail(new Error('failed'))
  expect(await Promise.all(all)).toEqual(['failed', 'taken', undefined, undefined])
  expect(sent).toEqual(['first', 'other', 'last'])
})
