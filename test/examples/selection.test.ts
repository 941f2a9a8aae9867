import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { placeName, toLocation, toPlace } from '../../examples/spreadsheet/place.js'
import {
  at,
  boxOf,
  columnName,
  contains,
  nameOf,
  overlap,
  parseName,
  pressed,
  type Ground,
} from '../../examples/spreadsheet/selection.js'

const size = { rows: 200, cols: 26 }
// The cells A1:C5 and E3 have values.
const filled = ({ row, col }: { row: number; col: number }) => (row < 5 && col < 3) || (row === 2 && col === 4)
const ground: Ground = { ...size, pageRows: 20, filled }
const press = (key: string, mods: { shift?: boolean; ctrl?: boolean } = {}) => ({
  key,
  shift: false,
  ctrl: false,
  ...mods,
})
const go = (from: string, key: string, mods?: { shift?: boolean; ctrl?: boolean }) => {
  const next = pressed(parseName(from, size)!, press(key, mods), ground)
  return next && nameOf(next)
}

const cell = fc.record({ row: fc.nat(size.rows - 1), col: fc.nat(size.cols - 1) })
const selection = fc.record({ anchor: cell, head: cell })
const keys = fc.constantFrom(
  'ArrowUp',
  'ArrowDown',
  'ArrowLeft',
  'ArrowRight',
  'Tab',
  'Enter',
  'Home',
  'End',
  'PageUp',
  'PageDown',
  ' ',
  'a',
  'x',
)
const presses = fc.array(fc.record({ key: keys, shift: fc.boolean(), ctrl: fc.boolean() }), { maxLength: 30 })

describe('selection in the example sheet', () => {
  test('no sequence of keys moves the selection out of the example sheet', () => {
    fc.assert(
      fc.property(selection, presses, (start, all) => {
        const end = all.reduce((now, one) => pressed(now, one, ground) ?? now, start)
        const box = boxOf(end)
        expect(box.top).toBeGreaterThanOrEqual(0)
        expect(box.left).toBeGreaterThanOrEqual(0)
        expect(box.bottom).toBeLessThan(size.rows)
        expect(box.right).toBeLessThan(size.cols)
      }),
    )
  })

  test('a movement key with Shift keeps the cell at which the selection began', () => {
    const arrows = fc.constantFrom(
      'ArrowUp',
      'ArrowDown',
      'ArrowLeft',
      'ArrowRight',
      'PageUp',
      'PageDown',
      'Home',
      'End',
    )
    fc.assert(
      fc.property(selection, arrows, fc.boolean(), (start, key, ctrl) => {
        const next = pressed(start, { key, ctrl, shift: true }, ground)
        if (next) expect(next.anchor).toEqual(start.anchor)
      }),
    )
  })

  test('parsing the name of a selection gives the same cells', () => {
    fc.assert(
      fc.property(selection, (one) => {
        expect(boxOf(parseName(nameOf(one), size)!)).toEqual(boxOf(one))
      }),
    )
  })

  test('a selection that is posted as a location is read back unchanged', () => {
    fc.assert(
      fc.property(selection, (one) => {
        expect(toPlace(toLocation({ sheet: 'Q3', selection: one }))).toEqual({ sheet: 'Q3', selection: one })
      }),
    )
  })

  test('two selected boxes overlap if some cell is in both, in either order of the arguments', () => {
    fc.assert(
      fc.property(selection, selection, cell, (one, other, shared) => {
        if (contains(boxOf(one), shared) && contains(boxOf(other), shared))
          expect(overlap(boxOf(one), boxOf(other))).toBe(true)
        expect(overlap(boxOf(one), boxOf(other))).toBe(overlap(boxOf(other), boxOf(one)))
      }),
    )
  })
})

describe('a key pressed in the example sheet', () => {
  test.each([
    ['B2', 'ArrowDown', {}, 'B3'],
    ['B2', 'ArrowLeft', {}, 'A2'],
    ['A1', 'ArrowUp', {}, 'A1'],
    ['Z200', 'ArrowRight', {}, 'Z200'],
    ['B2', 'ArrowDown', { shift: true }, 'B2:B3'],
    ['B2:D5', 'ArrowRight', {}, 'C2'],
    ['B2', 'Tab', {}, 'C2'],
    ['B2', 'Tab', { shift: true }, 'A2'],
    ['B2', 'Enter', {}, 'B3'],
    ['B2', 'Enter', { shift: true }, 'B1'],
    ['D7', 'Home', {}, 'A7'],
    ['D7', 'Home', { ctrl: true }, 'A1'],
    ['A1', 'End', {}, 'C1'],
    ['A1', 'End', { ctrl: true }, 'E5'],
    ['B30', 'PageUp', {}, 'B10'],
    ['B30', 'PageDown', { shift: true }, 'B30:B50'],
    ['B2', 'ArrowDown', { ctrl: true }, 'B5'],
    ['B5', 'ArrowDown', { ctrl: true }, 'B200'],
    ['C3', 'ArrowRight', { ctrl: true }, 'E3'],
    ['E3', 'ArrowRight', { ctrl: true }, 'Z3'],
    ['E9', 'ArrowUp', { ctrl: true }, 'E3'],
    ['B2', 'a', { ctrl: true }, 'A1:Z200'],
    ['B2', ' ', { shift: true }, 'A2:Z2'],
    ['B2', ' ', { ctrl: true }, 'B1:B200'],
  ] as const)(
    'in the example sheet, from %s the key %s with modifiers %o moves the selection to %s',
    (from, key, mods, to) => {
      expect(go(from, key, mods)).toBe(to)
    },
  )

  test.each([
    ['a', {}],
    ['PageUp', { ctrl: true }],
    ['Escape', {}],
    ['Tab', { ctrl: true }],
  ])('the example sheet ignores the key %s with modifiers %o', (key, mods) => {
    expect(go('B2', key, mods)).toBeNull()
  })
})

describe('cell names in the example sheet', () => {
  test.each([
    [0, 'A'],
    [25, 'Z'],
    [26, 'AA'],
    [701, 'ZZ'],
    [702, 'AAA'],
    [16_383, 'XFD'],
  ])('column %i of the example sheet is named %s', (col, name) => {
    expect(columnName(col)).toBe(name)
  })

  test.each([
    ['c4', 'C4'],
    [' $B$2 : d5 ', 'B2:D5'],
    ['D5:B2', 'B2:D5'],
  ])('%j is parsed as the cells %s', (text, name) => {
    expect(nameOf(parseName(text, size)!)).toBe(name)
  })

  test.each(['', 'C', '4', 'C0', 'AA1', 'A201', 'A1:B2:C3', 'A1:', 'hello', 'A99999999', '<b>'])(
    '%j is not a cell name of the example sheet',
    (text) => {
      expect(parseName(text, size)).toBeNull()
    },
  )

  test('a location is displayed as in a formula, such as Q3!C5', () => {
    expect(placeName(toLocation({ sheet: 'Q3', selection: at(4, 2) }))).toBe('Q3!C5')
    expect(placeName({ sheet: 'Plan', from: { row: 1, col: 1 }, to: { row: 4, col: 3 } })).toBe('Plan!B2:D5')
    expect(placeName(null)).toBe('nowhere in particular')
  })
})
