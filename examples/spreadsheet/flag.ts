import { headHeight, sideWidth, type Port, type Rect } from './layout.js'

export const flagHeight = 18
/** Room for a name; a flag that has less to the right of its cell is moved to the left. */
const flagWidth = 150
/** Names in one cell; the rest is a number, until one points at the cell. */
export const namesShown = 3

/** Where a flag flies, in pixels from the top left corner of its cell, and which corner it sits on. */
export type Spot = { side: 'above' | 'below' | 'inside'; top: number; left?: number; right?: number }

/**
 * A flag is read at the edges too: under a cell of the first row, inside a range that fills the view, within the view
 * when its cell is not. The flags of one cell stand on one another, `rank` from the cell on.
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
