import type { Clock } from '../../shared/clock.js'
import type { Activity } from '../../shared/events.js'
import { activityOf, changesAt, type ActivitySignals, type Thresholds } from './activity.js'

export interface ActivityTrackerOptions extends Thresholds {
  clock: Clock
  /** Called when the activity changes. It begins as `active`. */
  changed(activity: Activity): void
}

const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']

/** Tracks whether somebody uses a browser's page. Returns a function that stops the tracking. */
export function trackActivity({ clock, changed, ...thresholds }: ActivityTrackerOptions): () => void {
  const controller = new AbortController()
  const { signal } = controller
  let signals: ActivitySignals = { inputAt: clock.now(), hiddenAt: null }
  let activity: Activity = 'active'
  let stopTimer = () => {}
  const update = () => {
    const now = clock.now()
    const current = activityOf(signals, thresholds, now)
    if (current !== activity) changed((activity = current))
    const next = changesAt(signals, thresholds, now)
    stopTimer()
    if (next < Infinity) stopTimer = clock.after(next - now, update)
  }
  const onInput = () => {
    signals = { ...signals, inputAt: clock.now() }
    // While active, the timer is enough: a pointer may move a thousand times a second.
    if (activity !== 'active') update()
  }
  const onVisibility = () => {
    const hidden = document.visibilityState === 'hidden'
    signals = { inputAt: hidden ? signals.inputAt : clock.now(), hiddenAt: hidden ? clock.now() : null }
    update()
  }
  for (const input of inputs) addEventListener(input, onInput, { signal, passive: true, capture: true })
  document.addEventListener('visibilitychange', onVisibility, { signal })
  onVisibility()
  return () => {
    stopTimer()
    controller.abort()
  }
}
