'use client'

import { forwardRef, useEffect, useState } from 'react'
import { systemClock, type Clock } from '../../shared/clock.js'
import type { RoomStatus } from '../../client/index.js'
import { wordsOf, type UiLabels } from './labels.js'
import { classes, type UiProps } from './props.js'

/** The props of `ConnectionNotice`. */
export interface ConnectionNoticeProps extends UiProps {
  /** The status of the room: `useStatus()`. */
  status: RoomStatus
  /** Called by the button: `() => room.retry()`. Without it there is no button. */
  onRetry?(): void
  /** The clock, for tests. Default: the system clock. */
  clock?: Clock
}

/** The time in milliseconds that a connection has to come back before the notice is shown. */
const patienceMs = 5_000

/**
 * Says that the connection is lost or that posts are refused, after 5 s, and that a room is closed, at once. Otherwise
 * shows nothing.
 */
export const ConnectionNotice = forwardRef<HTMLDivElement, ConnectionNoticeProps>(function ConnectionNotice(
  { status, onRetry, clock = systemClock, labels, className, style },
  ref,
) {
  const words = wordsOf(labels)
  const trouble = troubleOf(status, words)
  const isLate = useLate(trouble !== '', clock)
  // A closed room is reported at once, because it does not open again by itself.
  const text = isLate || status.state === 'closed' ? trouble : ''
  return (
    <div
      ref={ref}
      className={classes('hb-notice', className)}
      style={style}
      data-state={text ? status.state : undefined}
    >
      {/* Rendered without text, too: screen readers announce only changes of a region that is already there. */}
      {/* oxlint-disable-next-line jsx-a11y/prefer-tag-over-role -- `output` is announced less reliably */}
      <p role="status">{text}</p>
      {text && status.state === 'waiting' && <Countdown until={status.retryAt} words={words} clock={clock} />}
      {text && onRetry && (status.state === 'waiting' || status.state === 'closed') && (
        <button type="button" className="hb-button" onClick={onRetry}>
          <span>{words.retry}</span>
        </button>
      )}
    </div>
  )
})

/** Returns what is wrong in words; `''` while all is well, and in a room that was left. */
function troubleOf(status: RoomStatus, words: UiLabels): string {
  const { state, postError } = status
  if (state === 'closed') return status.error ? words.closed(status.error.message) : ''
  // Both states have the same words, because they take turns: nothing is announced twice.
  if (state === 'waiting' || state === 'connecting') return words.offline
  if (postError) return words.unsent(postError.message)
  return state === 'degraded' ? words.degraded : ''
}

/** Returns true when `isOn` has been true for 5 s. */
function useLate(isOn: boolean, clock: Clock): boolean {
  const [isLate, setLate] = useState(false)
  useEffect(() => {
    if (!isOn) return
    const cancel = clock.after(patienceMs, () => setLate(true))
    return () => {
      cancel()
      setLate(false)
    }
  }, [isOn, clock])
  return isOn && isLate
}

/** The countdown is rendered outside of the live region, because a screen reader would read each second. */
function Countdown({ until, words, clock }: { until: Date; words: UiLabels; clock: Clock }) {
  const [, setTick] = useState(0)
  const seconds = Math.ceil((until.getTime() - clock.date().getTime()) / 1000)
  useEffect(() => {
    if (seconds > 0) return clock.after(1000, () => setTick((tick) => tick + 1))
  })
  return <span className="hb-countdown">{seconds > 0 && words.countdown(seconds)}</span>
}
