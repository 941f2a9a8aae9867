import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useRoom, type Member } from './locations.js'
import { nameOfMember } from './paint.js'
import { nameOf, at, type Cell } from './selection.js'
import { useValues } from './values.js'

type LockOf = NonNullable<Awaited<ReturnType<ReturnType<typeof useRoom>['lock']>>>

/** One edit of a cell, from the first key to the answer of the server. */
export type Edit = {
  sheet: string
  cell: Cell
  /** The initial text of the editor; `null` for the text that the cell has. */
  text: string | null
  /** The lock of the cell; resolves with `null` when somebody else has it. Never rejects. */
  lock: Promise<LockOf | null>
  stop: AbortController
}

/** A text that could not be saved, and the reason. */
export type Unsaved = { sheet: string; cell: Cell; text: string; reason: string }

export const nameOfCell = (sheet: string, cell: Cell) => `${sheet}!${nameOf(at(cell.row, cell.col))}`

/**
 * Manages the edit of this page. `begin` takes the lock of a cell, `commit` saves a text and then releases the lock,
 * `cancel` only releases it. The editor closes at once: until the server has answered, the lock is held and the page
 * shows the new text.
 */
export function useEditing() {
  const room = useRoom()
  const { save } = useValues()
  const [edit, setEdit] = useState<Edit | null>(null)
  const current = useRef<Edit | null>(null)
  const [unsaved, setUnsaved] = useState<Unsaved | null>(null)

  const begin = (sheet: string, cell: Cell, text: string | null = null): Edit => {
    const stop = new AbortController()
    const lock = room.lock({ sheet, ...cell }, { signal: stop.signal }).catch(() => null)
    return { sheet, cell, text, lock, stop }
  }
  const show = (next: Edit | null) => setEdit((current.current = next))
  const giveBack = ({ stop, lock }: Edit) => {
    stop.abort()
    void lock.then((held) => held?.release())
  }
  const commit = async (done: Edit, text: string) => {
    const { sheet, cell } = done
    if (current.current === done) show(null)
    const lock = done.lock.then((held) => {
      if (held && room.self) return { fence: held.fence, memberId: room.self.memberId }
      throw new Error(whyTaken(room.lockedBy({ sheet, ...cell })))
    })
    try {
      await save({ sheet, ...cell, text }, lock)
    } catch (error) {
      setUnsaved({ sheet, cell, text, reason: error instanceof Error ? error.message : String(error) })
    }
    giveBack(done)
  }
  return {
    edit,
    unsaved,
    start(sheet: string, cell: Cell, text: string | null = null) {
      setUnsaved(null)
      if (current.current) giveBack(current.current)
      show(begin(sheet, cell, text))
    },
    /** Asks for the lock of an edit again, after the member who had it has released it. */
    retry(refused: Edit) {
      if (current.current !== refused) return
      giveBack(refused)
      show(begin(refused.sheet, refused.cell))
    },
    cancel(ended: Edit) {
      if (current.current === ended) show(null)
      giveBack(ended)
    },
    commit,
    clear: (sheet: string, cell: Cell) => void commit(begin(sheet, cell), ''),
    dismiss: () => setUnsaved(null),
  }
}

export type Editing = ReturnType<typeof useEditing>

const whyTaken = (holder: Member | null) =>
  holder ? `${nameOfMember(holder)} is editing this cell.` : 'It could not be locked.'

/**
 * The state of the lock of the edited cell: `asking` until the server has answered, `mine` while we hold it, `lost`
 * when we held it before, `refused` when the cell could not be locked and no holder is shown.
 */
export type Turn = { state: 'asking' | 'mine' | 'lost' | 'refused' } | { state: 'taken'; holder: Member | null }

/**
 * The time in milliseconds within which a frame shows the holder, after the server has answered that the cell is
 * locked.
 */
const holderMs = 1_000

/**
 * Returns the state of the lock of an edit. `onFree` is called when another member releases the lock, but only if that
 * member was shown as the holder: otherwise asking again would give the same answer.
 */
export function useTurn({ sheet, cell, lock }: Edit, onFree: () => void): Turn {
  const room = useRoom()
  const [answer, setAnswer] = useState<{ to: Edit['lock']; state: 'mine' | 'taken' | 'lost' } | null>(null)
  const place = { sheet, ...cell }
  const holder = useSyncExternalStore(
    (run) => room.subscribe(run),
    () => room.lockedBy(place),
  )
  useEffect(() => {
    let isOver = false
    const answered = (state: 'mine' | 'taken' | 'lost') => !isOver && setAnswer({ to: lock, state })
    const follow = async () => {
      const held = await lock
      // The lock may have been lost before this page saw that it was granted.
      answered(held?.signal.aborted ? 'lost' : held ? 'mine' : 'taken')
      held?.signal.addEventListener('abort', () => answered('lost'))
    }
    void follow()
    return () => void (isOver = true)
  }, [lock])
  const state = answer?.to === lock ? answer.state : 'asking'
  const isFree = state === 'taken' && holder === null
  const shown = useRef<Edit['lock'] | null>(null)
  useEffect(() => {
    if (holder) shown.current = lock
    else if (isFree && shown.current === lock) onFree()
  })
  const [refused, setRefused] = useState<Edit['lock'] | null>(null)
  useEffect(() => {
    if (!isFree) return
    const timer = setTimeout(() => setRefused(lock), holderMs)
    return () => clearTimeout(timer)
  }, [isFree, lock])
  if (isFree && refused === lock) return { state: 'refused' }
  return state === 'taken' ? { state, holder } : { state }
}
