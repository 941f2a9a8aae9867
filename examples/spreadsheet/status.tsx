import type { RoomStatus } from 'hereabouts/client'
import { useStatus } from './locations.js'

const texts: Record<RoomStatus['state'], string> = {
  connecting: 'Connecting',
  live: 'Live',
  degraded: 'Not up to date',
  polling: 'Live, by polling',
  waiting: 'Offline',
  closed: 'Closed',
}

/** The state of the connection. */
export function Status() {
  const { state } = useStatus()
  return (
    <output className="status" data-state={state}>
      <span className="status-dot" />
      <span className="status-text">{texts[state]}</span>
    </output>
  )
}
