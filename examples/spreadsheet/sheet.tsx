import { Cursors } from 'hereabouts/react/ui'
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type PointerEvent,
  type ReactNode,
} from 'react'
import { flushSync } from 'react-dom'
import { CellEditor, type Ending } from './cell-editor.js'
import { ColumnHeads, Rows } from './cells.js'
import { sheetNamed } from './data.js'
import type { Editing } from './editing.js'
import { headHeight, Layout, rowHeight, sideWidth, type Port } from './layout.js'
import { CellCursors } from './cursors.js'
import { useRoom, useSetPresence, type Member } from './locations.js'
import type { Place } from './place.js'
import { Bubbles, type Bubble } from './signals.js'
import { useSheet } from './values.js'
import { at, boxOf, pressed, wholeColumns, wholeRows, type Cell, type Press, type Selection } from './selection.js'

type SheetProps = {
  place: Place
  /** The member to highlight for a moment after a jump to their cell. */
  spotlight: string | null
  editing: Editing
  bubbles: readonly Bubble[]
  onSelect(selection: Selection): void
  onTurn(by: 1 | -1): void
}
/** The kind of selection of a drag: cells, or whole rows or columns when it began in a header. */
type Drag = { anchor: Cell; over: 'cells' | 'rows' | 'columns' }

const overOf = (inSide: boolean, inHead: boolean) => (inSide ? 'rows' : inHead ? 'columns' : 'cells')

/** The widest column on a phone, which leaves space for its neighbour. */
const phoneColumnWidth = 168

export function Sheet({ place, spotlight, editing, bubbles, onSelect, onTurn }: SheetProps) {
  const { selection } = place
  const sheet = useSheet(place.sheet)
  const grid = useRef<HTMLDivElement>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const port = usePort(scroller)
  const widest = port.width < 640 ? phoneColumnWidth : Infinity
  const layout = useMemo(() => new Layout(sheetNamed(place.sheet)!, widest), [place.sheet, widest])
  const [hovered, setHovered] = useState<Cell | null>(null)
  const drag = useRef<Drag | null>(null)
  const tapped = useRef(false)
  // Tab moves between cells. After Escape, the next Tab leaves the sheet and moves to the element after it.
  const leaving = useRef(false)
  const visible = layout.visible(port)
  const box = boxOf(selection)

  // A selection of whole rows or columns does not scroll the view; a selected cell is scrolled into view.
  const isWhole = box.right - box.left + 1 === layout.sheet.cols || box.bottom - box.top + 1 === layout.sheet.rows
  useLayoutEffect(() => {
    if (!isWhole) scroller.current!.scrollTo(layout.scrollTo(selection.head, portOf(scroller.current!)))
  }, [layout, isWhole, selection])

  const { edit } = editing
  const write = (cell: Cell, text: string | null = null) => {
    onSelect(at(cell.row, cell.col))
    editing.start(place.sheet, cell, text)
  }
  // After an edit, the grid has the focus again, and the selection moves on as with the same key outside of an edit.
  const finish = (ending: Ending | undefined, cell: Cell) => {
    if (ending) onSelect(move({ key: ending.key, shift: ending.shift, ctrl: false }, at(cell.row, cell.col))!)
    if (scroller.current!.contains(document.activeElement)) grid.current!.focus({ preventScroll: true })
  }

  const pointAt = (event: MouseEvent) => {
    const element = scroller.current!
    const edges = element.getBoundingClientRect()
    const x = event.clientX - edges.left
    const y = event.clientY - edges.top
    const cell = layout.cellAt(Math.max(x, sideWidth) + element.scrollLeft, Math.max(y, headHeight) + element.scrollTop)
    return {
      cell,
      inSide: x < sideWidth,
      inHead: y < headHeight,
      outside: x > element.clientWidth || y > element.clientHeight,
    }
  }

  const selectTo = ({ anchor, over }: Drag, head: Cell) => {
    if (over === 'rows') onSelect(wholeRows({ anchor, head }, layout.sheet))
    else if (over === 'columns') onSelect(wholeColumns({ anchor, head }, layout.sheet))
    else onSelect({ anchor, head })
  }

  const onPointerDown = (event: PointerEvent) => {
    const { cell, inSide, inHead, outside } = pointAt(event)
    tapped.current = false
    if (event.button !== 0 || outside || inEditor(event)) return
    if (inSide && inHead)
      return onSelect(
        wholeRows({ anchor: { row: 0, col: 0 }, head: { row: layout.sheet.rows - 1, col: 0 } }, layout.sheet),
      )
    // A moving finger scrolls. A finger selects when it is lifted where it touched, or when it drags the handle.
    const handle = event.target instanceof Element && event.target.closest('.handle') !== null
    tapped.current = event.pointerType === 'touch' && !handle
    if (tapped.current) return
    drag.current = { anchor: event.shiftKey || handle ? selection.anchor : cell, over: overOf(inSide, inHead) }
    // The grid captures the pointer. It is inside of the area whose pointer other members see, so the pointer does not
    // leave that area.
    grid.current!.setPointerCapture(event.pointerId)
    if (!handle) selectTo(drag.current, cell)
  }

  const onPointerMove = (event: PointerEvent) => {
    const { cell, inSide, inHead } = pointAt(event)
    if (drag.current && (cell.row !== selection.head.row || cell.col !== selection.head.col))
      selectTo(drag.current, cell)
    const next = inSide || inHead || event.pointerType === 'touch' ? null : cell
    if (next?.row !== hovered?.row || next?.col !== hovered?.col) setHovered(next)
  }

  const move = (press: Press, from = selection) => {
    const pageRows = Math.max(1, Math.floor((port.height - headHeight) / rowHeight) - 1)
    return pressed(from, press, { ...sheet, pageRows, filled: (cell) => Boolean(sheet.entryAt(cell)?.text) })
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const press = { key: event.key, shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey }
    if (event.altKey) return
    const written = textOf(press)
    if (written !== undefined) {
      event.preventDefault()
      return write(selection.anchor, written)
    }
    if (press.key === 'Delete' || press.key === 'Backspace') return editing.clear(place.sheet, selection.anchor)
    if (press.ctrl && (press.key === 'PageUp' || press.key === 'PageDown')) {
      event.preventDefault()
      return onTurn(press.key === 'PageUp' ? -1 : 1)
    }
    if (press.key === 'Tab' && leaving.current) return
    if (press.key !== 'Shift') leaving.current = press.key === 'Escape'
    const next = move(press)
    if (!next) return
    event.preventDefault()
    onSelect(next)
  }

  return (
    <div
      ref={scroller}
      className="sheet"
      // The grid inside this element handles the keyboard.
      role="presentation"
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => (drag.current = null)}
      onPointerCancel={() => (drag.current = null)}
      onPointerLeave={() => setHovered(null)}
      onDoubleClick={(event) => {
        const { cell, inSide, inHead, outside } = pointAt(event)
        if (!inSide && !inHead && !outside && !inEditor(event)) write(cell)
      }}
      onClick={(event) => {
        if (!tapped.current) return
        const { cell, inSide, inHead } = pointAt(event)
        const isAgain = !inSide && !inHead && cell.row === selection.head.row && cell.col === selection.head.col
        // `flushSync`, because a phone shows its keyboard only for an input that gets the focus while the tap is
        // handled.
        if (isAgain) flushSync(() => write(cell))
        else selectTo({ anchor: cell, over: overOf(inSide, inHead) }, cell)
      }}
    >
      <Pointers layout={layout}>
        <div
          ref={grid}
          role="grid"
          tabIndex={0}
          aria-label={`${sheet.name}. Arrow keys move, Enter edits a cell; press Escape, then Tab, to leave the sheet.`}
          aria-multiselectable="true"
          aria-rowcount={sheet.rows + 1}
          aria-colcount={sheet.cols + 1}
          aria-activedescendant={cellIdIn(visible, selection.head)}
          onKeyDown={onKeyDown}
          onFocus={() => (leaving.current = false)}
        >
          <ColumnHeads layout={layout} first={visible.left} last={visible.right} from={box.left} to={box.right} />
          <Rows layout={layout} sheet={sheet} visible={visible} box={box} />
        </div>
        <CellCursors
          layout={layout}
          sheet={sheet}
          port={port}
          hovered={hovered}
          spotlight={spotlight}
          selection={selection}
        />
        <Bubbles bubbles={bubbles} layout={layout} />
        {edit?.sheet === place.sheet && (
          <CellEditor
            key={`${edit.cell.row}!${edit.cell.col}`}
            edit={edit}
            value={sheet.entryAt(edit.cell)?.text ?? ''}
            rect={layout.rectOf(boxOf(at(edit.cell.row, edit.cell.col)))}
            onCommit={(text, ending) => {
              finish(ending, edit.cell)
              void editing.commit(edit, text)
            }}
            onCancel={(ending) => {
              finish(ending, edit.cell)
              editing.cancel(edit)
            }}
            onFree={() => editing.retry(edit)}
          />
        )}
      </Pointers>
    </div>
  )
}

/**
 * Shows the pointers of other members over the sheet. Positions are relative to cells, because columns are narrower on
 * a phone.
 */
function Pointers({ layout, children }: { layout: Layout; children: ReactNode }) {
  const room = useRoom()
  const setPresence = useSetPresence()
  const { name } = layout.sheet
  const point = ({ presence: { pointer } }: Member) => (pointer?.sheet === name ? layout.pointOf(pointer) : null)
  return (
    <Cursors
      // A new key for each sheet, because another sheet shows other pointers.
      key={name}
      room={room}
      point={point}
      publish={(to) => setPresence({ pointer: to && { sheet: name, ...layout.pointerAt(to) } })}
      coordinates="pixels"
      className="canvas"
      style={{ width: layout.width, height: layout.height }}
    >
      {children}
    </Cursors>
  )
}

/**
 * Returns the text with which a key begins an edit: `null` for the text of the cell, `undefined` for a key that begins
 * no edit.
 */
function textOf({ key, shift, ctrl }: Press): string | null | undefined {
  if (ctrl) return undefined
  if (key === 'F2' || (key === 'Enter' && !shift)) return null
  return Array.from(key).length === 1 && key !== ' ' ? key : undefined
}

const inEditor = ({ target }: { target: EventTarget }) =>
  target instanceof Element && target.closest('.editor') !== null

/** The DOM id of a rendered cell. A cell outside the view is not rendered and has none. */
function cellIdIn(visible: ReturnType<Layout['visible']>, { row, col }: Cell): string | undefined {
  const drawn = row >= visible.top && row <= visible.bottom && col >= visible.left && col <= visible.right
  return drawn ? `cell-${row}-${col}` : undefined
}

const portOf = (element: HTMLElement): Port => ({
  x: element.scrollLeft,
  y: element.scrollTop,
  width: element.clientWidth,
  height: element.clientHeight,
})

function usePort(scroller: { readonly current: HTMLDivElement | null }): Port {
  const [port, setPort] = useState<Port>({ x: 0, y: 0, width: window.innerWidth, height: window.innerHeight })
  useEffect(() => {
    const element = scroller.current!
    const look = () => setPort(portOf(element))
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [scroller])
  return port
}
