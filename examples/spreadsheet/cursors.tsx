import { EditingBadge, MemberFlag } from 'hereabouts/react/ui'
import { memo, useEffect, useState } from 'react'
import type { SheetData } from './data.js'
import { fliesBelow, flagHeight, namesShown, spotOf, type Spot } from './flag.js'
import type { Layout, Port, Rect } from './layout.js'
import { isStale, useLock, useMembers, useOther, useOthers, useSelf, useStatus, type Member } from './locations.js'
import { colorOfMember, paint } from './paint.js'
import { boxAt, placeName } from './place.js'
import { boxOf, contains, type Box, type Cell, type Selection } from './selection.js'

type CursorsProps = {
  layout: Layout
  sheet: SheetData
  port: Port
  hovered: Cell | null
  spotlight: string | null
  selection: Selection
}

/** The time in milliseconds for which a name stays beside a cell after its member moved. */
const awakeMs = 2_500

/** The cursors of the members on this sheet, above the cells and below the headers. */
export function CellCursors({ layout, sheet, port, hovered, spotlight, selection }: CursorsProps) {
  const members = useMembers()
  const self = useSelf()
  const others = useOthers()
  const { state } = useStatus()
  const here = others.flatMap((member) => {
    const box = boxOn(layout, member)
    return box ? [{ member, box }] : []
  })
  const ranks = rank(here.map(({ box }) => box))
  const below = fliesBelow(
    here.flatMap(({ box }, i) => (ranks[i]!.place === 0 ? [{ rect: layout.rectOf(box), of: ranks[i]!.of }] : [])),
    (rect) => layout.valuesIn(rect, sheet),
  )
  const { x, y, width, height } = layout.rectOf(boxOf(selection))
  return (
    <div className={state === 'waiting' || state === 'closed' ? 'cursors is-stale' : 'cursors'} aria-hidden="true">
      {here.map(({ member, box }, i) => {
        const rect = layout.rectOf(box)
        const { place, of, crowd } = ranks[i]!
        return (
          <Cursor
            key={member.memberId}
            member={member}
            sheet={sheet.name}
            row={box.top}
            col={box.left}
            // Flags of one cell are stacked: when a member joins, the names of the others are shown again too.
            what={`${placeName(member.location)} ${of}`}
            color={colorOfMember(member, members)}
            rank={place}
            crowd={Math.min(of, namesShown) - 1}
            more={place === namesShown - 1 ? of - namesShown : 0}
            pointed={spotlight === member.memberId || (hovered !== null && contains(box, hovered))}
            {...rect}
            {...spotOf(rect, port, place, of, below[crowd])}
          />
        )
      })}
      <div
        className="selection"
        style={{
          ...(self && paint(colorOfMember(self, members))),
          transform: `translate(${x}px, ${y}px)`,
          width,
          height,
        }}
      >
        <span className="handle" />
      </div>
    </div>
  )
}

type CursorProps = Rect &
  Spot & {
    member: Member
    /** The first cell of the selection. If the member edits a cell, it is this cell. */
    sheet: string
    row: number
    col: number
    what: string
    color: string
    rank: number
    crowd: number
    more: number
    pointed: boolean
  }

// A cursor is rendered again only when its member or the view changed.
const Cursor = memo(function Cursor({
  member,
  sheet,
  row,
  col,
  what,
  color,
  rank,
  crowd,
  more,
  pointed,
  x,
  y,
  width,
  height,
  ...spot
}: CursorProps) {
  const lock = useLock({ sheet, row, col })
  const edits = lock.state === 'taken' && lock.holder.memberId === member.memberId
  const awake = useAwake(what)
  const shown = edits || pointed || (awake && rank < namesShown)
  const classes = [
    'cursor',
    spot.side,
    spot.right !== undefined && 'to-left',
    shown && 'awake',
    isIdle(member) && 'idle',
  ]
  const step = Math.min(rank, 5) * 14
  const tab = {
    top:
      spot.side === 'below'
        ? height - 1 + 2 * crowd
        : spot.side === 'above'
          ? -3 - 2 * crowd
          : spot.top - flagHeight * rank,
    ...(spot.right === undefined ? { left: spot.left! + step } : { right: spot.right + step }),
  }
  return (
    <div
      className={classes.filter(Boolean).join(' ')}
      style={{
        ...paint(color),
        transform: `translate(${x}px, ${y}px)`,
        width,
        height,
        zIndex: (shown ? 10 : 9) - Math.min(rank, 9),
      }}
    >
      {/* The outlines of several members surround one another, so that the content of the cell stays readable. */}
      {rank < namesShown && <span className={rank === 0 ? 'outline first' : 'outline'} style={{ inset: rank * -2 }} />}
      <span className="tab" style={tab} />
      <span className="flag" style={{ top: spot.top, left: spot.left, right: spot.right }}>
        {edits ? <Edits lock={lock} color={color} /> : <MemberFlag member={member} style={paint(color)} />}
        {member.profile?.bot && <span className="flag-bot">bot</span>}
        {more > 0 && !pointed && <span className="flag-more">{`+${more}`}</span>}
      </span>
    </div>
  )
})

/** Shows that the holder of a lock is editing, and while keys arrive, that they are typing. */
function Edits({ lock, color }: { lock: { state: string; holder: Member }; color: string }) {
  const isTyping = useOther(lock.holder.memberId, ({ presence }) => presence.typing === true)
  const editing = (name: string) => (isTyping ? `${name} is typing …` : `${name} is editing`)
  return <EditingBadge lock={lock} style={paint(color)} labels={{ editing }} />
}

/** True for a while after `what` was first given or has changed. */
function useAwake(what: string): boolean {
  const [asleep, setAsleep] = useState<string | null>(null)
  useEffect(() => {
    const timer = setTimeout(() => setAsleep(what), awakeMs)
    return () => {
      clearTimeout(timer)
      setAsleep(null)
    }
  }, [what])
  return asleep !== what
}

// A member who has not been seen since the server restarted is shown as uncertain.
const isIdle = ({ activity, connections }: Member) => activity !== 'active' || isStale({ connections })

/** The box of a member on this sheet; null for a member on another sheet or beyond the last cell. */
function boxOn({ sheet }: Layout, { location }: Member): Box | null {
  if (location?.sheet !== sheet.name) return null
  const box = boxAt(location)
  if (box.top >= sheet.rows || box.left >= sheet.cols) return null
  return { ...box, bottom: Math.min(box.bottom, sheet.rows - 1), right: Math.min(box.right, sheet.cols - 1) }
}

/**
 * Groups boxes whose flags begin at the same corner. Returns for each box its place in its crowd, the size of the
 * crowd, and the number of the crowd.
 */
function rank(boxes: Box[]): { place: number; of: number; crowd: number }[] {
  const counts = new Map<string, number>()
  const corner = (box: Box) => `${box.top}.${box.left}`
  const places = boxes.map((box) => {
    const place = counts.get(corner(box)) ?? 0
    counts.set(corner(box), place + 1)
    return place
  })
  const crowds = [...counts.keys()]
  return boxes.map((box, i) => ({
    place: places[i]!,
    of: counts.get(corner(box))!,
    crowd: crowds.indexOf(corner(box)),
  }))
}
