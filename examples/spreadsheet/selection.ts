export type Cell = { row: number; col: number }
/** A selection, from the cell where it began to the cell where it is now. */
export type Selection = { anchor: Cell; head: Cell }
/** The cells of a selection without a direction. All four sides are inclusive. */
export type Box = { top: number; left: number; bottom: number; right: number }
/** The properties of a sheet that a key press depends on. */
export type Ground = { rows: number; cols: number; pageRows: number; filled(cell: Cell): boolean }
export type Press = { key: string; shift: boolean; ctrl: boolean }

export const at = (row: number, col: number): Selection => ({ anchor: { row, col }, head: { row, col } })
export const isOneCell = ({ anchor, head }: Selection) => anchor.row === head.row && anchor.col === head.col

export function boxOf({ anchor, head }: Selection): Box {
  return {
    top: Math.min(anchor.row, head.row),
    left: Math.min(anchor.col, head.col),
    bottom: Math.max(anchor.row, head.row),
    right: Math.max(anchor.col, head.col),
  }
}

export function contains(box: Box, { row, col }: Cell): boolean {
  return row >= box.top && row <= box.bottom && col >= box.left && col <= box.right
}

export function overlap(one: Box, other: Box): boolean {
  return one.left <= other.right && other.left <= one.right && one.top <= other.bottom && other.top <= one.bottom
}

/** Returns the letters of a column: A for 0, Z for 25, AA for 26. */
export function columnName(col: number): string {
  const letter = String.fromCharCode(65 + (col % 26))
  return col < 26 ? letter : columnName(Math.floor(col / 26) - 1) + letter
}

const cellName = ({ row, col }: Cell) => `${columnName(col)}${row + 1}`

/** Returns the text of a name box for a selection, such as `C4` or `B2:D5`. */
export function nameOf(selection: Selection): string {
  const { top, left, bottom, right } = boxOf(selection)
  const first = cellName({ row: top, col: left })
  return isOneCell(selection) ? first : `${first}:${cellName({ row: bottom, col: right })}`
}

/** Parses the text of the name box; `null` when it names no cell of this sheet. */
export function parseName(text: string, size: { rows: number; cols: number }): Selection | null {
  const corners = text
    .trim()
    .toUpperCase()
    .split(/\s*:\s*/)
  if (corners.length > 2) return null
  const cells = corners.map(parseCell)
  if (!cells.every((cell) => cell !== null && cell.row < size.rows && cell.col < size.cols)) return null
  const [anchor, head = anchor] = cells as Cell[]
  return { anchor: anchor!, head: head! }
}

function parseCell(name: string): Cell | null {
  const parts = /^\$?([A-Z]{1,3})\$?([1-9]\d{0,6})$/.exec(name)
  if (!parts) return null
  const col = Array.from(parts[1]!).reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1
  return { row: Number(parts[2]) - 1, col }
}

const directions: Record<string, Cell> = {
  ArrowUp: { row: -1, col: 0 },
  ArrowDown: { row: 1, col: 0 },
  ArrowLeft: { row: 0, col: -1 },
  ArrowRight: { row: 0, col: 1 },
}

/** Returns the selection after a key press, or `null` when the key has no effect. */
export function pressed(selection: Selection, { key, shift, ctrl }: Press, ground: Ground): Selection | null {
  const direction = directions[key]
  if (direction) {
    const move = (cell: Cell) => (ctrl ? edge(cell, direction, ground) : step(cell, direction, ground))
    return shift ? { ...selection, head: move(selection.head) } : alone(move(selection.anchor))
  }
  // Tab and Enter move on from the start of the selection; with Shift they move back.
  const back = shift ? -1 : 1
  if (key === 'Tab' && !ctrl) return alone(step(selection.anchor, { row: 0, col: back }, ground))
  if (key === 'Enter' && !ctrl) return alone(step(selection.anchor, { row: back, col: 0 }, ground))
  if (ctrl && key.toLowerCase() === 'a') return { anchor: { row: 0, col: 0 }, head: corner(ground) }
  if (key === ' ' && shift) return wholeRows(selection, ground)
  if (key === ' ' && ctrl) return wholeColumns(selection, ground)
  const target = leap(shift ? selection.head : selection.anchor, key, ctrl, ground)
  return target && (shift ? { ...selection, head: target } : alone(target))
}

export function wholeRows({ anchor, head }: Selection, { cols }: { cols: number }): Selection {
  return { anchor: { row: anchor.row, col: 0 }, head: { row: head.row, col: cols - 1 } }
}

export function wholeColumns({ anchor, head }: Selection, { rows }: { rows: number }): Selection {
  return { anchor: { row: 0, col: anchor.col }, head: { row: rows - 1, col: head.col } }
}

function leap(from: Cell, key: string, ctrl: boolean, ground: Ground): Cell | null {
  switch (key) {
    case 'Home':
      return { row: ctrl ? 0 : from.row, col: 0 }
    case 'End':
      return ctrl ? lastFilled(ground) : edge({ ...from, col: ground.cols - 1 }, { row: 0, col: -1 }, ground, true)
    case 'PageUp':
      return ctrl ? null : step(from, { row: -ground.pageRows, col: 0 }, ground)
    case 'PageDown':
      return ctrl ? null : step(from, { row: ground.pageRows, col: 0 }, ground)
  }
  return null
}

const alone = (cell: Cell): Selection => ({ anchor: cell, head: cell })
const corner = ({ rows, cols }: Ground): Cell => ({ row: rows - 1, col: cols - 1 })
const within = (value: number, count: number) => Math.min(Math.max(value, 0), count - 1)

function step(from: Cell, by: Cell, { rows, cols }: Ground): Cell {
  return { row: within(from.row + by.row, rows), col: within(from.col + by.col, cols) }
}

/** Returns the end of the current block of filled cells, the start of the next block, or the edge of the sheet. */
function edge(from: Cell, by: Cell, ground: Ground, stayIfFilled = false): Cell {
  if (stayIfFilled && ground.filled(from)) return from
  let cell = step(from, by, ground)
  const inBlock = ground.filled(from) && ground.filled(cell)
  for (;;) {
    const next = step(cell, by, ground)
    if (next.row === cell.row && next.col === cell.col) return cell
    if (inBlock ? !ground.filled(next) : ground.filled(cell)) return cell
    cell = next
  }
}

function lastFilled(ground: Ground): Cell {
  const last: Cell = { row: 0, col: 0 }
  for (let row = 0; row < ground.rows; row++)
    for (let col = 0; col < ground.cols; col++)
      if (ground.filled({ row, col })) {
        last.row = row
        last.col = Math.max(last.col, col)
      }
  return last
}
