import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import {
  afterChange,
  afterFetch,
  editsFrom,
  keyOf,
  noEdits,
  saveQueue,
  type Change,
  type EditedCell,
} from './cell-edits.js'
import { sheetNamed, withTexts, type SheetData } from './data.js'
import { api, useOnBroadcast, useStatus } from './locations.js'

type Values = {
  texts: ReadonlyMap<string, string>
  /** Saves a cell with its lock. This page shows the new text before the server has answered. */
  save(cell: EditedCell, lock: Promise<{ fence: number; memberId: string }>): Promise<void>
  reset(): Promise<void>
}

const ValuesContext = createContext<Values | null>(null)

export const useValues = (): Values => useContext(ValuesContext)!

/** Returns the sheet of this name with the texts that members wrote. */
export function useSheet(name: string): SheetData {
  const { texts } = useValues()
  return useMemo(() => withTexts(sheetNamed(name)!, texts), [name, texts])
}

const retryMs = 2_000
/** The interval in milliseconds at which a page that polls fetches the cells: broadcasts do not reach such a page. */
const pollMs = 5_000

/**
 * Provides the values of the cells of a room. Broadcasts keep them up to date, and they are fetched when one may be
 * missing.
 */
export function ValuesProvider({ room, children }: { room: string; children: ReactNode }) {
  const [edits, setEdits] = useState(noEdits)
  const [pending, setPending] = useState<ReadonlyMap<string, { text: string }>>(new Map())
  const queue = useRef(saveQueue())
  const { state } = useStatus()
  const known = useRef(noEdits)
  const isFetching = useRef(false)
  const isMissing = useRef(false)
  const isGone = useRef(false)
  useEffect(() => {
    isGone.current = false
    return () => void (isGone.current = true)
  }, [])

  const fetchAll = useCallback(async () => {
    isMissing.current = true
    if (isFetching.current) return
    isFetching.current = true
    while (isMissing.current && !isGone.current) {
      isMissing.current = false
      try {
        const before = known.current
        const fetched = editsFrom(await api.cells.query({ room }))
        const next = afterFetch(known.current, before, fetched)
        if (next) setEdits((known.current = next))
        else isMissing.current = true
      } catch {
        isMissing.current = true
        await new Promise((resolve) => setTimeout(resolve, retryMs))
      }
    }
    isFetching.current = false
  }, [room])

  const apply = useCallback(
    (change: Change) => {
      const next = afterChange(known.current, change)
      if (next) setEdits((known.current = next))
      else void fetchAll()
    },
    [fetchAll],
  )

  // When the connection is back, the page fetches the changes that it missed.
  useEffect(() => {
    if (state === 'live' || state === 'polling') void fetchAll()
    if (state !== 'polling') return
    const timer = setInterval(() => void fetchAll(), pollMs)
    return () => clearInterval(timer)
  }, [state, fetchAll])
  // Members can send broadcasts of this name too: only broadcasts of the server are applied.
  useOnBroadcast('changed', ({ payload, memberId }) => {
    if (memberId === null) apply(payload)
  })

  const values = useMemo(
    (): Values => ({
      texts: pending.size > 0 ? new Map([...edits.texts, ...textsOf(pending)]) : edits.texts,
      async save(cell, lock) {
        const key = keyOf(cell.sheet, cell)
        const entry = { text: cell.text }
        setPending((entries) => new Map(entries).set(key, entry))
        try {
          await queue.current(key, lock, async ({ fence, memberId }) =>
            apply({ ...(await api.saveCell.mutate({ room, cell, memberId, fence })), cell }),
          )
        } finally {
          // Removes only the entry of this save: a newer save of the same cell has an entry of its own.
          setPending((entries) => new Map([...entries].filter(([, other]) => other !== entry)))
        }
      },
      reset: async () => apply(await api.resetCells.mutate({ room })),
    }),
    [room, edits, pending, apply],
  )
  return <ValuesContext value={values}>{children}</ValuesContext>
}

const textsOf = (pending: ReadonlyMap<string, { text: string }>) =>
  Array.from(pending, ([key, { text }]): [string, string] => [key, text])
