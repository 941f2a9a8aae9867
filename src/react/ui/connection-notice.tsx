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
  /** Where the time comes from, for tests. Default: the system clock. */
  clock?: Clock
}

/** The time in milliseconds that a connection has to come back before anybody is told. */
const patienceMs = 5_000

/** Says that the connection is lost, after 5 s. While all is well it shows nothing. */
export const ConnectionNotice = forwardRef<HTMLDivElement, ConnectionNoticeProps>(function ConnectionNotice(
  { status, onRetry, clock = systemClock, labels, className, style },
  ref,
) {
  const words = wordsOf(labels)
  const trouble = troubleOf(status, words)
  const isLate = useLate(trouble !== '', clock)
  // A closed room does not open again by itself.
  const text = isLate || status.state === 'closed' ? trouble : ''
  return (
    <div
      ref={ref}
      className={classes('hb-notice', className)}
      style={style}
      data-state={text ? status.state : undefined}
    >
      {/* It is there before its text is: screen readers announce changes of a region that they know. */}
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
  // The same words for both, because they take turns: nothing is announced twice.
  if (state === 'waiting' || state === 'connecting') return words.offline
  if (postError) return words.unsent(postError.message)
  return state === 'degraded' ? words.degraded : ''
}

/** Returns true when `isOn` has been true for some time. */
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

/** Outside of the live region: a screen reader would read each second. */
function Countdown({ until, words, clock }: { until: Date; words: UiLabels; clock: Clock }) {
  const [, setTick] = useState(0)
  const seconds = Math.ceil((until.getTime() - clock.date().getTime()) / 1000)
  useEffect(() => {
    if (seconds > 0) return clock.after(1000, () => setTick((tick) => tick + 1))
  })
  return <span className="hb-countdown">{seconds > 0 && words.countdown(seconds)}</span>
}
