import type { Clock } from '../../shared/clock.js'
import type { Activity } from '../../shared/events.js'
import { activityOf, changesAt, type ActivitySignals, type Thresholds } from './activity.js'

export interface ActivityTrackerOptions extends Thresholds {
  clock: Clock
  /** Told when it is another than before; at first it is `active`. */
  changed(activity: Activity): void
}

const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']

/** Follows whether somebody is at the page of a browser. Returns what stops it. */
export function trackActivity({ clock, changed, ...thresholds }: ActivityTrackerOptions): () => void {
  const controller = new AbortController()
  const { signal } = controller
  let attention: ActivitySignals = { inputAt: clock.now(), hiddenAt: null }
  let activity: Activity = 'active'
  let stopTimer = () => {}
  const look = () => {
    const now = clock.now()
    const seen = activityOf(attention, thresholds, now)
    if (seen !== activity) changed((activity = seen))
    const next = changesAt(attention, thresholds, now)
    stopTimer()
    if (next < Infinity) stopTimer = clock.after(next - now, look)
  }
  const touched = () => {
    attention = { ...attention, inputAt: clock.now() }
    // As long as they are active the timer finds out for itself: a pointer moves a thousand times a second.
    if (activity !== 'active') look()
  }
  const turned = () => {
    const hidden = document.visibilityState === 'hidden'
    attention = { inputAt: hidden ? attention.inputAt : clock.now(), hiddenAt: hidden ? clock.now() : null }
    look()
  }
  for (const input of inputs) addEventListener(input, touched, { signal, passive: true, capture: true })
  document.addEventListener('visibilitychange', turned, { signal })
  turned()
  return () => {
    stopTimer()
    controller.abort()
  }
}
