import type { CellLocation } from '../shared/index.js'

/** Where a walker may go. */
export type Grid = { sheets: readonly string[]; rows: number; cols: number }

/** A bot on its way over the sheets, a cell at a time, as arrow keys go. Replaced, never changed. */
export type Walker = { readonly cell: CellLocation; readonly goal: CellLocation }

/** `random` gives numbers of [0, 1), as Math.random does. */
export function placed(grid: Grid, random: () => number): Walker {
  const cell = anywhere(grid, random)
  return { cell, goal: cell }
}

/** The next cell: a step towards the goal; from there, another goal nearby or, now and then, a click far away. */
export function walked({ cell, goal }: Walker, grid: Grid, random: () => number): Walker {
  const isThere = isSame(cell, goal)
  if (isThere && random() < 0.2) return placed(grid, random)
  const next = isThere ? nearby(cell, grid, random) : goal
  return { cell: stepped(cell, next, random), goal: next }
}

/** How long until the next step, so that they come at `rate` a second on average, and never in lockstep. */
export const pauseMs = (rate: number, random: () => number) => (1_000 / rate) * (0.5 + random())

const integerBelow = (limit: number, random: () => number) => Math.floor(random() * limit)

function anywhere({ sheets, rows, cols }: Grid, random: () => number): CellLocation {
  const sheet = sheets[integerBelow(sheets.length, random)]!
  return { sheet, row: integerBelow(rows, random), col: integerBelow(cols, random) }
}

/** People look at what is near: within eight rows and four columns. */
function nearby({ sheet, row, col }: CellLocation, { rows, cols }: Grid, random: () => number): CellLocation {
  const about = (at: number, reach: number, limit: number) =>
    Math.min(limit - 1, Math.max(0, at - reach + integerBelow(2 * reach + 1, random)))
  return { sheet, row: about(row, 8, rows), col: about(col, 4, cols) }
}

function stepped(cell: CellLocation, goal: CellLocation, random: () => number): CellLocation {
  const down = Math.sign(goal.row - cell.row)
  const right = Math.sign(goal.col - cell.col)
  const isVertical = down !== 0 && (right === 0 || random() < 0.5)
  return isVertical ? { ...cell, row: cell.row + down } : { ...cell, col: cell.col + right }
}

const isSame = (a: CellLocation, b: CellLocation) => a.sheet === b.sheet && a.row === b.row && a.col === b.col
