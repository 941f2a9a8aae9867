import { useEffect, useRef, useState } from 'react'
import { CloseIcon } from './icons.js'
import { useRoomEvent, useRoom, type Member } from './locations.js'
import { colorOfMember, nameOfMember, paint } from './paint.js'
import { placeName } from './place.js'

type Line = {
  key: number
  memberId: string
  name: string
  color: string
  what: 'entered' | 'moved' | 'left'
  text: string
  time: Date
  latencyMs: number | null
}

const linesKept = 80
const restMs = 1_500
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const reasons = { left: 'left', lost: 'lost the connection', revoked: 'was shown out' } as const

/** The events of the room, newest first. */
export function Log({ lines, onClose }: { lines: readonly Line[]; onClose(): void }) {
  const latencies = lines.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs])).sort((a, b) => a - b)
  const median = latencies[Math.floor(latencies.length / 2)]
  return (
    <aside className="log" aria-label="Live log">
      <header>
        <h2>Live log</h2>
        <button type="button" className="quiet" aria-label="Close the log" title="Close the log" onClick={onClose}>
          <CloseIcon />
        </button>
      </header>
      <p
        className="hint"
        title="From the time the server gave the change to the time this page had it. Means something as far as both clocks agree."
      >
        {median === undefined ? (
          <span>It fills as people come, move and go.</span>
        ) : (
          <span>
            <span>Server to screen: median </span>
            <b>{`${median} ms`}</b>
          </span>
        )}
      </p>
      <ol>
        {lines.map((line) => (
          <li key={line.key} className={`line is-${line.what}`} style={paint(line.color)}>
            <span className="dot" />
            <span className="line-text">
              <bdi translate="no">{line.name}</bdi>
              <span>{line.text}</span>
            </span>
            <span className="latency">{line.latencyMs === null ? '' : `${line.latencyMs} ms`}</span>
            <time dateTime={line.time.toISOString()} title={line.time.toLocaleString()}>
              {clock.format(line.time)}
            </time>
          </li>
        ))}
      </ol>
    </aside>
  )
}

/** Returns the newest events of the room. The component is rendered at most once for each animation frame. */
export function useLines(): readonly Line[] {
  const room = useRoom()
  const [lines, setLines] = useState<readonly Line[]>([])
  const gathered = useRef<Line[]>([])
  const frame = useRef(0)
  const nextKey = useRef(0)
  useEffect(() => () => cancelAnimationFrame(frame.current), [])

  const add = (member: Member, what: Line['what'], text: string, at: Date | null) => {
    const time = new Date()
    gathered.current.push({
      key: nextKey.current++,
      memberId: member.memberId,
      name: nameOfMember(member),
      color: colorOfMember(member, room.members),
      what,
      text,
      time,
      latencyMs: at && latencyOf(at, time),
    })
    cancelAnimationFrame(frame.current)
    frame.current = requestAnimationFrame(() => {
      const news = gathered.current.splice(0)
      setLines((known) => withNews(known, news))
    })
  }
  useRoomEvent('entered', ({ member, connection, current }) =>
    add(member, 'entered', `entered ${placeName(current)}`, connection.at),
  )
  useRoomEvent('moved', ({ member, connection, current }) =>
    add(member, 'moved', `to ${placeName(current)}`, connection.at),
  )
  useRoomEvent('left', ({ member, reason }) => add(member, 'left', reasons[reason], null))
  return lines
}

/**
 * Adds events to the lines of the log. Consecutive moves of a member share one line, which is updated. After a pause, a
 * move begins a new line.
 */
function withNews(known: readonly Line[], news: readonly Line[]): readonly Line[] {
  let lines = [...known]
  for (const line of news) {
    const i = lines.findIndex(({ memberId }) => memberId === line.memberId)
    const last = lines[i]
    const walks = last?.what === 'moved' && line.what === 'moved' && line.time.getTime() - last.time.getTime() < restMs
    if (walks) lines[i] = { ...line, key: last.key }
    else lines = [line, ...lines]
  }
  return lines.slice(0, linesKept)
}

// The times come from two clocks. A negative difference, or one of a minute after being offline, is not a latency.
function latencyOf(at: Date, now: Date): number | null {
  const ms = now.getTime() - at.getTime()
  return ms > 60_000 ? null : Math.max(0, Math.round(ms))
}
