// @ts-check

/**
 * A cell that was edited.
 *
 * @typedef {{ sheet: string, row: number, col: number, text: string }} EditedCell
 */
/**
 * The edited cells of a room. `revision` is the revision of the newest change; each change has a higher one.
 *
 * @typedef {{ revision: number, cells: EditedCell[] }} Edits
 */
/**
 * A change of a room: `revision` follows `after`. A viewer who is at another revision fetches the room again.
 *
 * @typedef {{ revision: number, after: number }} Step
 */
/**
 * The storage of edited cells. `save` resolves with `null` when a newer lock has already saved this cell, and with
 * `full` when the room has no space for another cell.
 *
 * @typedef {object} CellStore
 * @property {(room: string) => Promise<Edits>} edits
 * @property {(room: string, cell: EditedCell, fence: number) => Promise<Step | 'full' | null>} save
 * @property {(room: string) => Promise<Step>} reset
 */

/**
 * The maximum number of rooms whose edits are kept. Above it, the room whose last edit is the oldest loses its edits.
 */
const roomsKept = 500
/** The maximum number of edited cells of a room. */
const cellsKept = 2_000

/**
 * Keeps edited cells in memory, until the process ends.
 *
 * @returns {CellStore}
 */
export function memoryCells() {
  /** @type {Map<string, { revision: number, cells: Map<string, { cell: EditedCell, fence: number }> }>} */
  const rooms = new Map()
  // Revisions begin above those of any earlier process.
  let newest = Date.now()

  const step = (/** @type {string} */ room) => {
    const known = rooms.get(room) ?? { revision: 0, cells: new Map() }
    const after = known.revision
    known.revision = ++newest
    // Moves the room to the end of the map, which is ordered by the last change.
    rooms.delete(room)
    rooms.set(room, known)
    const [oldest] = rooms.keys()
    if (rooms.size > roomsKept && oldest !== undefined) rooms.delete(oldest)
    return { after, revision: known.revision, cells: known.cells }
  }

  return {
    async edits(room) {
      const { revision, cells } = rooms.get(room) ?? { revision: 0, cells: new Map() }
      return { revision, cells: Array.from(cells.values(), ({ cell }) => cell) }
    },
    async save(room, cell, fence) {
      const cells = rooms.get(room)?.cells
      const key = `${cell.sheet}!${cell.row}!${cell.col}`
      const before = cells?.get(key)
      if (before && before.fence > fence) return null
      if (!before && cells && cells.size >= cellsKept) return 'full'
      const { cells: kept, ...taken } = step(room)
      kept.set(key, { cell, fence })
      return taken
    },
    async reset(room) {
      const { cells, ...taken } = step(room)
      cells.clear()
      return taken
    },
  }
}
