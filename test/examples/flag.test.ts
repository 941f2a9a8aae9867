import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fliesBelow, flagHeight, namesShown, spotOf } from '../../examples/spreadsheet/flag.js'
import { headHeight, sideWidth } from '../../examples/spreadsheet/layout.js'

const port = fc.record({
  x: fc.nat(2_000),
  y: fc.nat(5_000),
  width: fc.integer({ min: 360, max: 2_000 }),
  height: fc.integer({ min: 300, max: 1_400 }),
})
const size = fc.record({ width: fc.integer({ min: 40, max: 3_000 }), height: fc.integer({ min: 20, max: 5_400 }) })
const flag = fc
  .integer({ min: 1, max: 9 })
  .chain((of) => fc.record({ of: fc.constant(of), rank: fc.nat(Math.min(of, namesShown) - 1) }))

/** A cell of which at least one pixel is visible. */
const scene = fc.tuple(port, size, flag).chain(([port, size, flag]) => {
  const view = {
    left: port.x + sideWidth,
    top: port.y + headHeight,
    right: port.x + port.width,
    bottom: port.y + port.height,
  }
  const x = fc.integer({ min: view.left - size.width + 1, max: view.right - 1 })
  const y = fc.integer({ min: view.top - size.height + 1, max: view.bottom - 1 })
  return fc
    .record({ view: fc.constant(view), port: fc.constant(port), flag: fc.constant(flag), x, y })
    .map((at) => ({ ...at, ...size }))
})

test('a member whose cell is in view has a name flag in view', () => {
  fc.assert(
    fc.property(scene, fc.boolean(), ({ view, port, flag, x, y, width, height }, below) => {
      const spot = spotOf({ x, y, width, height }, port, flag.rank, flag.of, below)
      const top = y + spot.top
      expect(top).toBeGreaterThanOrEqual(view.top)
      expect(top + flagHeight).toBeLessThanOrEqual(view.bottom)
      // The left edge of a flag that is 150 pixels wide.
      const left = spot.right === undefined ? x + spot.left! : x + width - spot.right - 150
      expect(left).toBeGreaterThanOrEqual(view.left)
      expect(left + 150).toBeLessThanOrEqual(view.right)
    }),
  )
})

test('the name flags of one cell do not cover one another', () => {
  fc.assert(
    fc.property(scene, ({ port, flag, ...cell }) => {
      const tops = Array.from(
        { length: Math.min(flag.of, namesShown) },
        (_, rank) => spotOf(cell, port, rank, flag.of).top,
      )
      tops.sort((a, b) => a - b).forEach((top, i) => i && expect(top - tops[i - 1]!).toBe(flagHeight))
    }),
  )
})

test('with six members in two neighbouring cells, no name flag covers a flag of the other cell', () => {
  const cell = { x: 400, y: 400, width: 60, height: 27 }
  for (const other of [
    { ...cell, x: 460 },
    { ...cell, y: 427 },
  ]) {
    const below = fliesBelow(
      [
        { rect: cell, of: 3 },
        { rect: other, of: 3 },
      ],
      () => 0,
    )
    expect(below[0]).not.toBe(below[1])
  }
})

test('a name flag is placed where it covers no value of the sheet', () => {
  const rect = { x: 400, y: 400, width: 60, height: 27 }
  expect(fliesBelow([{ rect, of: 1 }], ({ y }) => (y < 400 ? 1 : 0))).toEqual([true])
  expect(fliesBelow([{ rect, of: 1 }], () => 1)).toEqual([false])
})
