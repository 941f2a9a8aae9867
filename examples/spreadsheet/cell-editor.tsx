import { EditingBadge } from 'hereabouts/react/ui'
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react'
import { nameOfCell, useTurn, type Edit, type Turn } from './editing.js'
import type { Rect } from './layout.js'
import { useMembers, useSetPresence } from './locations.js'
import { longestText } from './sheets.mjs'

/** The key that ended an edit. The selection then moves on, as with this key outside of an edit. */
export type Ending = { key: 'Enter' | 'Tab'; shift: boolean }

type CellEditorProps = {
  edit: Edit
  /** The current text of the cell. */
  value: string
  rect: Rect
  /** Called with the text to save, and the key that ended the edit. */
  onCommit(text: string, ending?: Ending): void
  onCancel(ending?: Ending): void
  /** Called when another member has released the lock of the cell. */
  onFree(): void
}

/** The time in milliseconds after the last key for which other members see that this one is typing. */
const typingMs = 2_000

const notes: Partial<Record<Turn['state'], string>> = {
  lost: 'Your turn on this cell is over. Copy your text, or press Escape and begin again.',
  refused: 'This cell could not be locked: try again.',
}

/**
 * The input over a cell. While another member has the lock of the cell, the input is read-only and names that member.
 */
export function CellEditor({ edit, value, rect, onCommit, onCancel, onFree }: CellEditorProps) {
  const turn = useTurn(edit, onFree)
  const members = useMembers()
  const noteId = useId()
  const input = useRef<HTMLInputElement>(null)
  const [draft, setDraft] = useState(edit.text)
  const isOver = useRef(false)
  const isRefused = turn.state === 'refused'
  const isTaken = turn.state === 'taken' || isRefused
  const note = notes[turn.state]
  const text = isTaken ? value : (draft ?? value)
  useTyping(isTaken ? null : draft)
  useLayoutEffect(() => {
    const { current } = input
    current!.focus({ preventScroll: true })
    // When a letter began the edit, the caret goes behind it; otherwise the whole text is selected.
    if (edit.text === null) current!.select()
    else current!.setSelectionRange(edit.text.length, edit.text.length)
  }, [edit])

  const cancel = () => {
    // Removing the input makes it lose the focus: `isOver` keeps `end` from running a second time.
    isOver.current = true
    onCancel()
  }
  const end = (ending?: Ending) => {
    if (isOver.current) return
    isOver.current = true
    if (isTaken || text === value) onCancel(ending)
    else onCommit(text, ending)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const { key, shiftKey: shift, nativeEvent } = event
    if (nativeEvent.isComposing) return
    if (key === 'Escape') cancel()
    else if (key === 'Enter' || key === 'Tab') end({ key, shift })
    else return
    event.preventDefault()
  }
  return (
    <div className="editor" style={{ left: rect.x - 1, top: rect.y - 1, minWidth: rect.width + 2 }}>
      <EditingBadge
        lock={turn.state === 'taken' ? turn : null}
        members={members}
        labels={{ editing: (name) => `${name} is editing this cell` }}
      >
        {(taken) => (
          <input
            {...taken}
            {...(note && { 'aria-describedby': noteId })}
            {...(isRefused && { readOnly: true })}
            ref={input}
            aria-label={`Text of ${nameOfCell(edit.sheet, edit.cell)}`}
            value={text}
            maxLength={longestText}
            size={Math.max(text.length, 4)}
            autoComplete="off"
            spellCheck={false}
            enterKeyHint="done"
            onChange={(event) => setDraft(event.target.value)}
            onKeyDown={onKeyDown}
            // Ignored when the whole window loses the focus: then the input stays the active element.
            onBlur={() => document.activeElement !== input.current && end()}
          />
        )}
      </EditingBadge>
      {note && (
        <p id={noteId} className="editor-note" role="alert">
          {note}
        </p>
      )}
    </div>
  )
}

/** Shows other members that this one is typing while the draft changes. */
function useTyping(draft: string | null) {
  const setPresence = useSetPresence()
  useEffect(() => {
    if (draft === null) return
    setPresence({ typing: true })
    const timer = setTimeout(() => setPresence({ typing: false }), typingMs)
    return () => clearTimeout(timer)
  }, [draft, setPresence])
  useEffect(() => () => setPresence({ typing: false }), [setPresence])
}
