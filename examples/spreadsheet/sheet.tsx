import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
  type PointerEvent,
} from 'react'
import { sheetNamed } from './data.js'
import { ColumnHeads, Rows } from './cells.js'
import { headHeight, Layout, rowHeight, sideWidth, type Port } from './layout.js'
import { Cursors } from './cursors.js'
import type { Place } from './place.js'
import { boxOf, pressed, wholeColumns, wholeRows, type Cell, type Selection } from './selection.js'

type SheetProps = {
  place: Place
  /** The member to highlight for a moment after a jump to their cell. */
  spotlight: string | null
  onSelect(selection: Selection): void
  onTurn(by: 1 | -1): void
}
/** The kind of selection of a drag: cells, or whole rows or columns when it began in a header. */
type Drag = { anchor: Cell; over: 'cells' | 'rows' | 'columns' }

const overOf = (inSide: boolean, inHead: boolean) => (inSide ? 'rows' : inHead ? 'columns' : 'cells')

/** The widest column on a phone, which leaves space for its neighbour. */
const phoneColumnWidth = 168

export function Sheet({ place, spotlight, onSelect, onTurn }: SheetProps) {
  const { selection } = place
  const scroller = useRef<HTMLDivElement>(null)
  const port = usePort(scroller)
  const widest = port.width < 640 ? phoneColumnWidth : Infinity
  const layout = useMemo(() => new Layout(sheetNamed(place.sheet)!, widest), [place.sheet, widest])
  const [hovered, setHovered] = useState<Cell | null>(null)
  const drag = useRef<Drag | null>(null)
  const tapped = useRef(false)
  // Tab moves between cells, so Escape leaves the sheet: the next Tab moves to the element after it.
  const leaving = useRef(false)
  const visible = layout.visible(port)
  const box = boxOf(selection)

  // Whole rows and columns do not scroll; a cell is scrolled into view.
  const isWhole = box.right - box.left + 1 === layout.sheet.cols || box.bottom - box.top + 1 === layout.sheet.rows
  useLayoutEffect(() => {
    if (!isWhole) scroller.current!.scrollTo(layout.scrollTo(selection.head, portOf(scroller.current!)))
  }, [layout, isWhole, selection])

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
    if (event.button !== 0 || outside) return
    if (inSide && inHead)
      return onSelect(
        wholeRows({ anchor: { row: 0, col: 0 }, head: { row: layout.sheet.rows - 1, col: 0 } }, layout.sheet),
      )
    // A finger that moves scrolls. It selects when it is lifted where it touched, or when it drags the handle.
    const handle = event.target instanceof Element && event.target.closest('.handle') !== null
    tapped.current = event.pointerType === 'touch' && !handle
    if (tapped.current) return
    drag.current = { anchor: event.shiftKey || handle ? selection.anchor : cell, over: overOf(inSide, inHead) }
    scroller.current!.setPointerCapture(event.pointerId)
    if (!handle) selectTo(drag.current, cell)
  }

  const onPointerMove = (event: PointerEvent) => {
    const { cell, inSide, inHead } = pointAt(event)
    if (drag.current && (cell.row !== selection.head.row || cell.col !== selection.head.col))
      selectTo(drag.current, cell)
    const next = inSide || inHead || event.pointerType === 'touch' ? null : cell
    if (next?.row !== hovered?.row || next?.col !== hovered?.col) setHovered(next)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const press = { key: event.key, shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey }
    if (event.altKey) return
    if (press.ctrl && (press.key === 'PageUp' || press.key === 'PageDown')) {
      event.preventDefault()
      return onTurn(press.key === 'PageUp' ? -1 : 1)
    }
    if (press.key === 'Tab' && leaving.current) return
    if (press.key !== 'Shift') leaving.current = press.key === 'Escape'
    const pageRows = Math.max(1, Math.floor((port.height - headHeight) / rowHeight) - 1)
    const filled = (cell: Cell) => Boolean(layout.sheet.entryAt(cell)?.text)
    const next = pressed(selection, press, { ...layout.sheet, pageRows, filled })
    if (!next) return
    event.preventDefault()
    onSelect(next)
  }

  return (
    <div
      ref={scroller}
      className="sheet"
      role="grid"
      tabIndex={0}
      aria-label={`${layout.sheet.name}, read only. Arrow keys move; press Escape, then Tab, to leave the sheet.`}
      aria-readonly="true"
      aria-multiselectable="true"
      aria-rowcount={layout.sheet.rows + 1}
      aria-colcount={layout.sheet.cols + 1}
      aria-activedescendant={cellIdIn(visible, selection.head)}
      onKeyDown={onKeyDown}
      onFocus={() => (leaving.current = false)}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => (drag.current = null)}
      onPointerCancel={() => (drag.current = null)}
      onPointerLeave={() => setHovered(null)}
      onClick={(event) => {
        if (!tapped.current) return
        const { cell, inSide, inHead } = pointAt(event)
        selectTo({ anchor: cell, over: overOf(inSide, inHead) }, cell)
      }}
    >
      <div className="canvas" role="presentation" style={{ width: layout.width, height: layout.height }}>
        <ColumnHeads layout={layout} first={visible.left} last={visible.right} from={box.left} to={box.right} />
        <Rows layout={layout} visible={visible} box={box} />
        <Cursors layout={layout} port={port} hovered={hovered} spotlight={spotlight} selection={selection} />
      </div>
    </div>
  )
}

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
