import { headHeight, sideWidth, type Port, type Rect } from './layout.js'

export const flagHeight = 18
/** The width of a name. A flag with less space to the right of its cell is moved to the left. */
const flagWidth = 150
/** The largest number of names in one cell. The others are a number until the pointer is over the cell. */
export const namesShown = 3

/** The position of a flag in pixels from the top left corner of its cell, and the corner that it is attached to. */
export type Spot = { side: 'above' | 'below' | 'inside'; top: number; left?: number; right?: number }

/**
 * Positions a flag so that it is readable at the edges too: under a cell of the first row, inside a range that fills the
 * view, and within the view when its cell is not. The flags of one cell are stacked, in the order of `rank`.
 */
export function spotOf(cell: Rect, port: Port, rank: number, of: number): Spot {
  const view = {
    left: port.x + sideWidth,
    top: port.y + headHeight,
    right: port.x + port.width,
    bottom: port.y + port.height,
  }
  const stack = flagHeight * Math.min(of, namesShown)
  const fromLeft = Math.max(0, view.left - cell.x)
  const across =
    cell.x + fromLeft + flagWidth > view.right
      ? { right: Math.max(0, cell.x + cell.width - view.right) }
      : { left: fromLeft }
  if (cell.y - stack >= view.top) return { side: 'above', top: -flagHeight * (rank + 1), ...across }
  if (cell.y + cell.height + stack <= view.bottom)
    return { side: 'below', top: cell.height + flagHeight * rank, ...across }
  return { side: 'inside', top: Math.max(0, view.top - cell.y) + flagHeight * rank, ...across }
}
