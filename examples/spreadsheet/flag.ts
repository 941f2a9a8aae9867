import { headHeight, sideWidth, type Port, type Rect } from './layout.js'

export const flagHeight = 18
/** The width of a flag with a name, in pixels. A flag with less space to the right of its cell is moved to the left. */
const flagWidth = 150
/**
 * The maximum number of names that are shown at one cell. Above it, a number stands for the others until the pointer is
 * over the cell.
 */
export const namesShown = 3

/** The position of a flag in pixels from the top left corner of its cell, and the corner that it is attached to. */
export type Spot = { side: 'above' | 'below' | 'inside'; top: number; left?: number; right?: number }

/**
 * Positions a flag so that it is readable at the edges too: under a cell of the first row, inside a range that fills
 * the view, and within the view when its cell is outside. The flags of one cell are stacked in the order of `rank`.
 */
export function spotOf(cell: Rect, port: Port, rank: number, of: number, below = false): Spot {
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
  const fitsBelow = cell.y + cell.height + stack <= view.bottom
  if (cell.y - stack >= view.top && !(below && fitsBelow))
    return { side: 'above', top: -flagHeight * (rank + 1), ...across }
  if (fitsBelow) return { side: 'below', top: cell.height + flagHeight * rank, ...across }
  return { side: 'inside', top: Math.max(0, view.top - cell.y) + flagHeight * rank, ...across }
}

/** A cell or range with members in it. `of` is the number of its flags. */
type Crowd = { rect: Rect; of: number }

/** The width of a flag with a name of usual length, in pixels. */
const usualWidth = 100

/**
 * Returns for each crowd whether its flags are shown below. They are if they cover fewer names of neighbours, fewer
 * cells with members and fewer values there than above.
 */
export function fliesBelow(crowds: Crowd[], valuesIn: (rect: Rect) => number): boolean[] {
  const placed: Rect[] = []
  const order = crowds
    .map((_, i) => i)
    .sort((a, b) => crowds[a]!.rect.y - crowds[b]!.rect.y || crowds[a]!.rect.x - crowds[b]!.rect.x)
  const below: boolean[] = crowds.map(() => false)
  for (const i of order) {
    const { rect, of } = crowds[i]!
    const height = flagHeight * Math.min(of, namesShown)
    const stackAt = (y: number): Rect => ({ x: rect.x, y, width: usualWidth, height })
    const cost = (stack: Rect) =>
      20 * placed.filter((other) => meet(other, stack)).length +
      5 * crowds.filter((other, j) => j !== i && meet(other.rect, stack)).length +
      valuesIn(stack)
    const [over, under] = [stackAt(rect.y - height), stackAt(rect.y + rect.height)]
    below[i] = cost(under) < cost(over)
    placed.push(below[i] ? under : over)
  }
  return below
}

const meet = (a: Rect, b: Rect) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
