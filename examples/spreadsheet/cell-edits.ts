import type { Cell } from './selection.js'

export type EditedCell = { sheet: string; row: number; col: number; text: string }
/** A change as the server announces it. It leads from revision `after` to revision `revision`. */
export type Change = { revision: number; after: number; cell?: EditedCell | undefined }
/** The edited cells of a room, at one revision. */
export type Edits = { revision: number; texts: ReadonlyMap<string, string> }

/** The edits before the first answer of the server. */
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

/**
 * Returns the edits after a fetch; `null` when they have to be fetched again, because a change arrived during the fetch
 * and the answer may be older than that change. A lower revision alone is no reason to fetch again: a server that
 * restarted begins at 0.
 */
export function afterFetch(edits: Edits, before: Edits, fetched: Edits): Edits | null {
  return fetched.revision >= edits.revision || edits === before ? fetched : null
}

/**
 * Returns a function that runs the saves of one cell one after the other: otherwise, two saves with the same lock could
 * arrive in the wrong order.
 */
export function saveQueue() {
  const last = new Map<string, Promise<unknown>>()
  return async <L, R>(key: string, lock: Promise<L>, save: (lock: L) => Promise<R>): Promise<R> => {
    const before = last.get(key)
    const work = Promise.all([lock, before]).then(([held]) => save(held))
    // A save whose lock was refused fails at once. Even then, the next save waits for the one before.
    const ended = Promise.allSettled([before, work])
    last.set(key, ended)
    try {
      return await work
    } finally {
      if (last.get(key) === ended) last.delete(key)
    }
  }
}
