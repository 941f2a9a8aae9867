import type { Cell } from './selection.js'

export type EditedCell = { sheet: string; row: number; col: number; text: string }
/** A change as the server announces it: it leads from revision `after` to `revision`. */
export type Change = { revision: number; after: number; cell?: EditedCell | undefined }
/** The edited cells of a room, at one revision. */
export type Edits = { revision: number; texts: ReadonlyMap<string, string> }

/** Before the first answer of the server. */
export const noEdits: Edits = { revision: -1, texts: new Map() }

export const keyOf = (sheet: string, { row, col }: Cell) => `${sheet}!${row}!${col}`

export function editsFrom({ revision, cells }: { revision: number; cells: readonly EditedCell[] }): Edits {
  return { revision, texts: new Map(cells.map((cell) => [keyOf(cell.sheet, cell), cell.text])) }
}

/** Returns the edits after a change; `null` when they have to be fetched, because another change is missing. */
export function afterChange(edits: Edits, { revision, after, cell }: Change): Edits | null {
  if (revision <= edits.revision) return edits
  if (after !== edits.revision || !cell) return null
  return { revision, texts: new Map(edits.texts).set(keyOf(cell.sheet, cell), cell.text) }
}
