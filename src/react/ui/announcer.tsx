'use client'

import { forwardRef, useEffect, useRef, useState, type ForwardedRef, type ReactNode, type Ref } from 'react'
import { systemClock, type Clock } from '../../shared/clock.js'
import { wordsOf } from './labels.js'
import { useMountEffect } from './mount-effect.js'
import { classes, type UiProps } from './props.js'
import type { UiMember, UiRoom } from './ui-types.js'

/** The props of `Announcer`. */
export interface AnnouncerProps<M extends UiMember> extends UiProps<M> {
  room: UiRoom<M>
  /** The clock, for tests. Default: the system clock. */
  clock?: Clock
}

/** The shortest time in milliseconds between two announcements. */
const batchMs = 4_000
/** The most names in one sentence. Further members are announced as a number. */
const namesSaid = 3

/** Tells screen readers who joined and left, every 4 s at most. Moves are never announced. Render it once per page. */
export const Announcer = forwardRef(function Announcer<M extends UiMember>(
  { room, clock = systemClock, labels, className, style }: AnnouncerProps<M>,
  ref: ForwardedRef<HTMLDivElement>,
) {
  const [said, setSaid] = useState('')
  const words = useRef(wordsOf(labels))
  useMountEffect(() => {
    words.current = wordsOf(labels)
  })
  useEffect(() => {
    const sentence = (kind: 'entered' | 'left', members: M[]) => {
      const names = members.slice(0, namesSaid).map((member) => words.current.name(member))
      return names.length > 0 ? words.current[kind](names, members.length - names.length) : ''
    }
    return collect(room, clock, (entered, left) =>
      setSaid(`${sentence('entered', entered)} ${sentence('left', left)}`.trim()),
    )
  }, [room, clock])
  return (
    <div ref={ref} aria-live="polite" className={classes('hb-unseen', className)} style={style}>
      {said}
    </div>
  )
}) as <M extends UiMember>(props: AnnouncerProps<M> & { ref?: Ref<HTMLDivElement> }) => ReactNode

/**
 * Reports the members who entered and left in the last 4 s. After the last report, it reports nobody once: this clears
 * the text, so that the same sentence can be announced again. Ignores members who did both, and events while we were
 * disconnected.
 */
function collect<M extends UiMember>(
  room: UiRoom<M>,
  clock: Clock,
  report: (entered: M[], left: M[]) => void,
): () => void {
  const entered = new Map<string, M>()
  const left = new Map<string, M>()
  let cancel: (() => void) | null = null
  const flush = () => {
    cancel = entered.size + left.size > 0 ? clock.after(batchMs, flush) : null
    report([...entered.values()], [...left.values()])
    entered.clear()
    left.clear()
  }
  const note = (to: Map<string, M>, from: Map<string, M>) => (event: { member: M; caughtUp: boolean }) => {
    const { member, caughtUp } = event
    // Also an event that happened while we were away cancels the opposite report that is still waiting.
    const isUndone = from.delete(member.memberId)
    if (caughtUp || isUndone) return
    to.set(member.memberId, member)
    cancel ??= clock.after(batchMs, flush)
  }
  const stops = [room.on('entered', note(entered, left)), room.on('left', note(left, entered))]
  return () => {
    for (const stop of stops) stop()
    cancel?.()
  }
}
