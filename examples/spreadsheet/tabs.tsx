import { useRef, type KeyboardEvent } from 'react'
import { sheets } from './data.js'
import { useMembers, useOthers } from './locations.js'
import { colorOfMember, paint } from './paint.js'

const dotsShown = 3

/** The tabs of the sheets, each with a dot for every member in it. */
export function Tabs({ current, onOpen }: { current: string; onOpen(sheet: string): void }) {
  const list = useRef<HTMLDivElement>(null)
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    const names = sheets.map((sheet) => sheet.name)
    const next = (names.indexOf(current) + by + names.length) % names.length
    onOpen(names[next]!)
    list.current!.querySelectorAll<HTMLElement>('[role=tab]')[next]!.focus()
  }
  return (
    <div ref={list} className="tabs" role="tablist" aria-label="Sheets">
      {sheets.map(({ name }) => (
        <button
          key={name}
          type="button"
          role="tab"
          className="tab-button"
          aria-selected={name === current}
          aria-controls="sheet"
          tabIndex={name === current ? 0 : -1}
          onClick={() => onOpen(name)}
          onKeyDown={onKeyDown}
        >
          <span>{name}</span>
          <Dots sheet={name} />
        </button>
      ))}
    </div>
  )
}

function Dots({ sheet }: { sheet: string }) {
  const members = useMembers()
  const here = useOthers().filter((member) => member.location?.sheet === sheet)
  if (here.length === 0) return null
  return (
    <span className="dots">
      {here.slice(0, dotsShown).map((member) => (
        <span key={member.memberId} className="dot" style={paint(colorOfMember(member, members))} />
      ))}
      <span className="number" aria-hidden="true">
        {here.length}
      </span>
      <span className="unseen">{here.length === 1 ? ', 1 other person' : `, ${here.length} others`}</span>
    </span>
  )
}
