import { EditingBadge } from 'hereabouts/react/ui'
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react'
import { nameOfCell, useTurn, type Edit, type Turn } from './editing.js'
import type { Rect } from './layout.js'
import { useMembers, useSetPresence } from './locations.js'
import { longestText } from './sheets.mjs'

/** The key that ended an edit: the selection moves on as it does without one. */
export type Ending = { key: 'Enter' | 'Tab'; shift: boolean }

type CellEditorProps = {
  edit: Edit
  /** The text of the cell now. */
  value: string
  rect: Rect
  /** Called with the text to save, and the key that ended the edit. */
  onCommit(text: string, ending?: Ending): void
  onCancel(ending?: Ending): void
  /** Somebody else has given the cell back. */
  onFree(): void
}

/** The time after the last key in which the others see that somebody types. */
const typingMs = 2_000

const notes: Partial<Record<Turn['state'], string>> = {
  lost: 'Your turn on this cell is over. Copy your text, or press Escape and begin again.',
  refused: 'This cell could not be locked: try again.',
}

/** The input over a cell. While somebody else has the cell, it is read-only and says who. */
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
    // After a first letter the caret is behind it; otherwise the whole text is chosen.
    if (edit.text === null) current!.select()
    else current!.setSelectionRange(edit.text.length, edit.text.length)
  }, [edit])

  const cancel = () => {
    // The input loses the focus when it goes: that ends nothing twice.
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
            // Not when the window loses focus: there the input stays the active element.
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

/** Tells the others while the draft changes. */
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
