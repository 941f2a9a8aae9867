import type { RoomStatus } from 'hereabouts/client'
import { useEffect, useState } from 'react'
import { useRoom, useStatus } from './locations.js'

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

function Countdown({ until }: { until: Date }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.ceil((until.getTime() - now) / 1_000)
  return (
    <span className="countdown">{seconds > 0 ? `Offline: next try in ${seconds} s.` : 'Offline: trying now.'}</span>
  )
}

/** The notice under the header when the view may be out of date: the reason, and the time of the next attempt. */
export function StatusNote() {
  const room = useRoom()
  const status = useStatus()
  if (status.state === 'waiting')
    return (
      <div className="note">
        <p>
          <Countdown until={status.retryAt} />
          <span> The others may have moved on; where you are is kept for them.</span>
        </p>
        <button type="button" className="plain" onClick={() => room.retry()}>
          Retry now
        </button>
      </div>
    )
  if (status.state === 'connecting' && status.error)
    return (
      <div className="note">
        <p>Connecting again: {status.error.message}</p>
      </div>
    )
  if (status.state !== 'closed' && status.postError)
    return (
      <div className="note is-bad">
        <p>Others cannot see where you are: {status.postError.message}</p>
      </div>
    )
  if (status.state === 'degraded')
    return (
      <div className="note">
        <p>The server cannot reach its store: the others may have moved on; where you are is kept for them.</p>
      </div>
    )
  if (status.state === 'closed')
    return (
      <div className="note is-bad">
        <p>{`This room is closed: ${status.error?.message ?? status.reason}`}</p>
        <button type="button" className="plain" onClick={() => room.retry()}>
          Try again
        </button>
      </div>
    )
  return null
}
