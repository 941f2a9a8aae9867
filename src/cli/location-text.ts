import { printable } from './printable.js'

/** Formats a location for people: `Q3!C5` for a cell, `(3, 4)` for a point, and JSON for a location of an unknown schema. */
export function placeText(location: unknown): string {
  if (location === null) return 'nowhere in particular'
  return printable(readyMade(location as Partial<AnyLocation>) ?? JSON.stringify(location), 60)
}

type Cell = { row: number; col: number }
type AnyLocation = Cell & {
  sheet: string
  from: Cell
  to: Cell
  x: number
  y: number
  path: string
  anchor: number
  head: number
}

/** Formats the four kinds of location of this package. Another schema may use the same field names, so each type is checked. */
function readyMade({ sheet, row, col, from, to, x, y, path, anchor, head }: Partial<AnyLocation>): string | null {
  if (typeof sheet === 'string') {
    if (isCell({ row, col })) return `${sheet}!${cellName({ row, col } as Cell)}`
    if (isCell(from) && isCell(to)) return `${sheet}!${cellName(from)}:${cellName(to)}`
  }
  if (typeof x === 'number' && typeof y === 'number') return `(${x}, ${y})`
  if (typeof path === 'string' && typeof anchor === 'number' && typeof head === 'number')
    return anchor === head ? `${path}:${head}` : `${path}:${anchor}-${head}`
  return null
}

const isCell = (cell: { row?: unknown; col?: unknown } | undefined): cell is Cell =>
  Number.isInteger(cell?.row) && Number.isInteger(cell?.col)

/** Returns a cell's name as in spreadsheets, such as `C5`: columns in letters (A to Z, AA and so on), rows from 1. */
function cellName({ row, col }: Cell): string {
  let letters = ''
  for (let rest = col + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters
  return `${letters}${row + 1}`
}
