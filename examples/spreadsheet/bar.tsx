import { useState, type ReactNode } from 'react'
import { sheetNamed } from './data.js'
import { LookIcon, PencilIcon } from './icons.js'
import { useOthers } from './locations.js'
import { nameOfMember } from './paint.js'
import { boxAt, type Place } from './place.js'
import { boxOf, nameOf, overlap, parseName, type Selection } from './selection.js'
import { useSheet } from './values.js'

type BarProps = {
  place: Place
  onSelect(selection: Selection): void
  onEdit(): void
  onLookHere(): void
  /** More buttons, shown at the end of the bar. */
  children: ReactNode
}

/** The bar above the sheet: the name box, the content of the selected cell, the other members in it, and buttons. */
export function Bar({ place, onSelect, onEdit, onLookHere, children }: BarProps) {
  const sheet = useSheet(place.sheet)
  return (
    <section className="bar" aria-label="Cell">
      <NameBox place={place} onSelect={onSelect} />
      <output className="content" aria-label="Content of the cell">
        {sheet.entryAt(place.selection.anchor)?.text}
      </output>
      <Company place={place} />
      <button type="button" className="quiet" aria-label="Edit this cell" title="Edit this cell" onClick={onEdit}>
        <PencilIcon />
      </button>
      <button
        type="button"
        className="quiet"
        aria-label="Ask the others to look here"
        title="Ask the others to look here"
        onClick={onLookHere}
      >
        <LookIcon />
      </button>
      {children}
    </section>
  )
}

function NameBox({ place, onSelect }: { place: Place; onSelect(selection: Selection): void }) {
  const [draft, setDraft] = useState<string | null>(null)
  const [wrong, setWrong] = useState(false)
  const edit = (text: string | null) => {
    setDraft(text)
    setWrong(false)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const selection = draft === null ? place.selection : parseName(draft, sheetNamed(place.sheet)!)
        setWrong(!selection)
        if (!selection) return
        onSelect(selection)
        // Unsubmitted text is discarded when the input loses focus.
        document.querySelector<HTMLElement>('[role=grid]')?.focus({ preventScroll: true })
      }}
    >
      <input
        className="name-box"
        aria-label="Go to a cell or a range, such as C4 or B2:D5"
        aria-invalid={wrong}
        value={draft ?? nameOf(place.selection)}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => edit(event.target.value)}
        onFocus={(event) => event.target.select()}
        onBlur={() => edit(null)}
        onKeyDown={(event) => event.key === 'Escape' && edit(null)}
      />
    </form>
  )
}

function Company({ place }: { place: Place }) {
  const box = boxOf(place.selection)
  const here = useOthers().filter(({ location }) => location?.sheet === place.sheet && overlap(boxAt(location), box))
  if (here.length === 0) return null
  const [first, ...rest] = here.map(nameOfMember)
  return (
    <span className="company">
      <span>with </span>
      <bdi translate="no">{first}</bdi>
      <span>{rest.length > 0 && ` and ${rest.length} more`}</span>
    </span>
  )
}

const amount = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 })

/** Count, sum and average of the selected cells. */
export function Sums({ place: { sheet, selection } }: { place: Place }) {
  const data = useSheet(sheet)
  const { top, left, bottom, right } = boxOf(selection)
  const values: number[] = []
  for (let row = top; row <= bottom; row++)
    for (let col = left; col <= right; col++) {
      const value = data.entryAt({ row, col })?.value
      if (value !== undefined) values.push(value)
    }
  if (values.length < 2) return null
  const sum = values.reduce((total, value) => total + value, 0)
  return (
    <p className="sums">
      <span>{`Count ${values.length}`}</span>
      <span>{`Average ${amount.format(sum / values.length)}`}</span>
      <span>{`Sum ${amount.format(sum)}`}</span>
    </p>
  )
}
