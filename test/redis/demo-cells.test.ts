import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryCells } from '../../examples/spreadsheet/cell-store.mjs'
import { redisCells } from '../../examples/two-nodes/redis-cells.mjs'
import { skipWithoutRedis } from '../support/redis/redis-server.js'
import { suiteRedis } from '../support/redis/suite-redis.js'

const cell = fc.record({
  sheet: fc.constant('Plan'),
  row: fc.nat(2),
  col: fc.nat(1),
  text: fc.string({ maxLength: 4 }),
})
const step = fc.option(fc.record({ cell, fence: fc.nat(4) }), { freq: 8 })

describe.skipIf(skipWithoutRedis)('the cells of the demo in Redis', () => {
  const client = suiteRedis()

  test('cells in Redis are saved, refused and reset as cells in memory are', async () => {
    let rooms = 0
    const inOrder = <T extends { row: number; col: number }>(cells: T[]) =>
      cells.toSorted((a, b) => a.row - b.row || a.col - b.col)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const room = `room ${++rooms}`
        const stores = [memoryCells(), redisCells(client())]
        const histories = await Promise.all(
          stores.map(async (store) => {
            const refused: boolean[] = []
            let known = (await store.edits(room)).revision
            for (const change of steps) {
              const taken = change ? await store.save(room, change.cell, change.fence) : await store.reset(room)
              refused.push(taken === null)
              if (!taken || taken === 'full') continue
              expect(taken.after).toBe(known)
              expect(taken.revision).toBeGreaterThan(known)
              known = taken.revision
            }
            const { revision, cells } = await store.edits(room)
            expect(revision).toBe(known)
            return { refused, cells: inOrder(cells) }
          }),
        )
        expect(histories[1]).toEqual(histories[0])
      }),
      { numRuns: 60 },
    )
  })

  test('a room in Redis keeps at most 2,000 cells', async () => {
    const store = redisCells(client())
    const save = (index: number) =>
      store.save('full', { sheet: 'Plan', row: index % 200, col: Math.floor(index / 200), text: 'x' }, 1)
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => save(index)))
    expect(await save(2_000)).toBe('full')
    expect(await save(0)).not.toBe('full')
  })
})
