import type { SheetData } from './data.js'
import type { Box, Cell } from './selection.js'

export type Rect = { x: number; y: number; width: number; height: number }
/** The visible part of the sheet, in pixels of the sheet, headers included. */
export type Port = { x: number; y: number; width: number; height: number }

export const rowHeight = 27
export const headHeight = 26
export const sideWidth = 46

/** The positions of the cells of a sheet, in pixels from its corner, headers included. */
export class Layout {
  readonly sheet: SheetData
  readonly widths: readonly number[]
  readonly #lefts: number[]
  readonly width: number
  readonly height: number

  constructor(sheet: SheetData, widest = Infinity) {
    this.sheet = sheet
    this.widths = sheet.widths.map((width) => Math.min(width, widest))
    this.#lefts = [sideWidth]
    for (const width of this.widths) this.#lefts.push(this.#lefts.at(-1)! + width)
    this.width = this.#lefts.at(-1)!
    this.height = headHeight + sheet.rows * rowHeight
  }

  left(col: number): number {
    return this.#lefts[col]!
  }

  top(row: number): number {
    return headHeight + row * rowHeight
  }

  rectOf({ top, left, bottom, right }: Box): Rect {
    const x = this.left(left)
    return { x, y: this.top(top), width: this.left(right + 1) - x, height: (bottom - top + 1) * rowHeight }
  }

  /** Returns the cell under a point, or the nearest cell. */
  cellAt(x: number, y: number): Cell {
    const after = this.#lefts.findIndex((left) => left > x)
    const col = after === -1 ? this.sheet.cols - 1 : Math.max(after - 1, 0)
    return { row: Math.min(Math.max(Math.floor((y - headHeight) / rowHeight), 0), this.sheet.rows - 1), col }
  }

  /** Returns the number of cells with a value that a rectangle touches. */
  valuesIn({ x, y, width, height }: Rect, { entryAt }: Pick<SheetData, 'entryAt'> = this.sheet): number {
    const [from, to] = [this.cellAt(x, y), this.cellAt(x + width - 1, y + height - 1)]
    let count = 0
    for (let row = from.row; row <= to.row; row++)
      for (let col = from.col; col <= to.col; col++) if (entryAt({ row, col })) count++
    return count
  }

  /** Returns the cell under a point, and the position of the point in the cell: fractions of its width and height. */
  pointerAt({ x, y }: { x: number; y: number }): Cell & { x: number; y: number } {
    const cell = this.cellAt(x, y)
    const rect = this.rectOf({ top: cell.row, left: cell.col, bottom: cell.row, right: cell.col })
    const fraction = (part: number) => Math.min(Math.max(Math.round(part * 100) / 100, 0), 1)
    return { ...cell, x: fraction((x - rect.x) / rect.width), y: fraction((y - rect.y) / rect.height) }
  }

  /** Returns the position of a pointer in pixels; `null` beyond the last cell. */
  pointOf({ row, col, x, y }: Cell & { x: number; y: number }): { x: number; y: number } | null {
    if (row >= this.sheet.rows || col >= this.sheet.cols) return null
    return { x: this.left(col) + x * this.widths[col]!, y: this.top(row) + y * rowHeight }
  }

  /** Returns the range of cells to render. */
  visible(port: Port): Box {
    const first = this.cellAt(port.x + sideWidth, port.y + headHeight)
    const last = this.cellAt(port.x + port.width, port.y + port.height)
    return { top: first.row, left: first.col, bottom: last.row, right: last.col }
  }

  /**
   * Returns the scroll position that shows a whole cell: the nearest position, or for a distant cell, the one that
   * shows it in the middle.
   */
  scrollTo({ row, col }: Cell, port: Port): { left: number; top: number } {
    return {
      left: scrolled(port.x, this.left(col) - sideWidth, this.left(col + 1) - port.width),
      top: scrolled(port.y, this.top(row) - headHeight, this.top(row) + rowHeight - port.height),
    }
  }
}

/** The largest distance to scroll, in pixels, at which a cell counts as near. */
const near = 4 * rowHeight

/**
 * Returns the new scroll position in one direction. At `most`, the cell is at the near edge of the view; at `least`, at
 * the far edge.
 */
function scrolled(now: number, most: number, least: number): number {
  const edge = Math.min(Math.max(now, least), most)
  return Math.max(0, Math.abs(edge - now) > near && least < most ? (least + most) / 2 : edge)
}
