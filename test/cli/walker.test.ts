import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pauseMs, placed, walked, type Grid } from '../../src/cli/walker.js'

const grids = fc.record({
  sheets: fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
  rows: fc.integer({ min: 1, max: 200 }),
  cols: fc.integer({ min: 1, max: 40 }),
})
const chances = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))

const walk = (grid: Grid, chances: Iterator<number>, steps: number) => {
  const random = () => chances.next().value as number
  const way = [placed(grid, random)]
  for (let step = 0; step < steps; step++) way.push(walked(way.at(-1)!, grid, random))
  return way
}

test('a bot of the CLI never leaves the grid', () => {
  fc.assert(
    fc.property(grids, chances, (grid, chances) => {
      for (const { cell } of walk(grid, chances, 50)) {
        expect(grid.sheets).toContain(cell.sheet)
        expect(cell.row).toBeGreaterThanOrEqual(0)
        expect(cell.row).toBeLessThan(grid.rows)
        expect(cell.col).toBeGreaterThanOrEqual(0)
        expect(cell.col).toBeLessThan(grid.cols)
      }
    }),
  )
})

test('a bot of the CLI moves one cell at a time, always closer to its target', () => {
  fc.assert(
    fc.property(grids, chances, (grid, chances) => {
      const way = walk(grid, chances, 50)
      const distance = ({ cell, goal }: (typeof way)[number]) =>
        Math.abs(goal.row - cell.row) + Math.abs(goal.col - cell.col)
      for (const [index, now] of way.slice(1).entries()) {
        const before = way[index]!
        if (distance(before) > 0) expect(distance(now)).toBe(distance(before) - 1)
      }
    }),
  )
})

test('the bots of the CLI step at the requested mean rate, and not all at the same moment', () => {
  expect(pauseMs(2, () => 0.5)).toBe(500)
  expect(pauseMs(2, () => 0)).toBe(250)
})
