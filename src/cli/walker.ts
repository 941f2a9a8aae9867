import type { CellLocation } from '../shared/index.js'

/** The sheets, and the size of each, that a walker stays within. */
export type Grid = { sheets: readonly string[]; rows: number; cols: number }

/** A bot's position and its goal. It moves one cell at a time, as with arrow keys. Immutable. */
export type Walker = { readonly cell: CellLocation; readonly goal: CellLocation }

/** Returns a walker at a random cell. `random` returns numbers in [0, 1), like Math.random. */
export function placed(grid: Grid, random: () => number): Walker {
  const cell = anywhere(grid, random)
  return { cell, goal: cell }
}

/** Moves one step towards the goal. A walker at its goal gets a new goal nearby, or, one time in five, jumps anywhere. */
export function walked({ cell, goal }: Walker, grid: Grid, random: () => number): Walker {
  const isThere = isSame(cell, goal)
  if (isThere && random() < 0.2) return placed(grid, random)
  const next = isThere ? nearby(cell, grid, random) : goal
  return { cell: stepped(cell, next, random), goal: next }
}

/** Returns the time to the next step: `rate` steps a second on average, with jitter so that bots do not move in lockstep. */
export const pauseMs = (rate: number, random: () => number) => (1_000 / rate) * (0.5 + random())

const integerBelow = (limit: number, random: () => number) => Math.floor(random() * limit)

function anywhere({ sheets, rows, cols }: Grid, random: () => number): CellLocation {
  const sheet = sheets[integerBelow(sheets.length, random)]!
  return { sheet, row: integerBelow(rows, random), col: integerBelow(cols, random) }
}

/** Returns a random cell within eight rows and four columns. */
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
