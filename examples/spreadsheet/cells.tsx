/* oxlint-disable jsx-a11y/prefer-tag-over-role -- only the visible rows are rendered, with absolute positions, which a table cannot do */
import { memo } from 'react'
import type { Entry, SheetData } from './data.js'
import type { Layout } from './layout.js'
import { columnName, type Box } from './selection.js'

const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

type HeadsProps = { layout: Layout; first: number; last: number; from: number; to: number }

export const ColumnHeads = memo(function ColumnHeads({ layout, first, last, from, to }: HeadsProps) {
  return (
    <div className="heads" role="row" aria-rowindex={1}>
      <div className="corner" role="columnheader" aria-colindex={1}>
        <span className="unseen">Select all</span>
      </div>
      {upTo(first, last).map((col) => (
        <div
          key={col}
          className={col >= from && col <= to ? 'column-head chosen' : 'column-head'}
          role="columnheader"
          aria-colindex={col + 2}
          style={{ left: layout.left(col), width: layout.widths[col] }}
        >
          {columnName(col)}
        </div>
      ))}
    </div>
  )
})

export function Rows({ layout, sheet, visible, box }: { layout: Layout; sheet: SheetData; visible: Box; box: Box }) {
  return upTo(visible.top, visible.bottom).map((row) => {
    const chosen = row >= box.top && row <= box.bottom
    return (
      <Row
        key={row}
        layout={layout}
        sheet={sheet}
        row={row}
        first={visible.left}
        last={visible.right}
        from={chosen ? box.left : -1}
        to={chosen ? box.right : -1}
      />
    )
  })
}

type RowProps = { layout: Layout; sheet: SheetData; row: number; first: number; last: number; from: number; to: number }

// A row is rendered again only when it scrolls sideways or its selection changes, never because another member moves.
const Row = memo(function Row({ layout, sheet, row, first, last, from, to }: RowProps) {
  return (
    <div className="row" role="row" aria-rowindex={row + 2} style={{ top: layout.top(row), width: layout.width }}>
      <div className={from >= 0 ? 'row-head chosen' : 'row-head'} role="rowheader" aria-colindex={1}>
        {row + 1}
      </div>
      {upTo(first, last).map((col) => {
        const entry = sheet.entryAt({ row, col })
        return (
          <div
            key={col}
            id={`cell-${row}-${col}`}
            className={classOf(entry)}
            role="gridcell"
            aria-colindex={col + 2}
            aria-selected={col >= from && col <= to}
            style={{ left: layout.left(col), width: widthOf(layout, sheet, row, col, entry) }}
          >
            {entry?.text}
          </div>
        )
      })}
    </div>
  )
})

function classOf(entry: Entry | undefined): string {
  const classes = ['cell']
  if (entry?.look) classes.push(`is-${entry.look}`)
  if (entry?.right) classes.push('is-number')
  return classes.join(' ')
}

// A title extends over the empty cells beside it, as in other spreadsheets.
function widthOf({ widths }: Layout, sheet: SheetData, row: number, col: number, entry: Entry | undefined): number {
  if (entry?.look !== 'title' && entry?.look !== 'note') return widths[col]!
  let width = 0
  for (let next = col; next < sheet.cols && (next === col || !sheet.entryAt({ row, col: next })); next++)
    width += widths[next]!
  return Math.min(width, 720)
}
