import type { Clock } from '../../shared/clock.js'
import type { Activity } from '../../shared/events.js'
import { activityOf, changesAt, type ActivitySignals, type Thresholds } from './activity.js'

export interface ActivityTrackerOptions extends Thresholds {
  clock: Clock
  /**
   * Posts the activity, which begins as `active`. `use` is called at the first input while another window represents
   * us.
   */
  presence: { update(change: { activity: Activity }): void; use(): void }
  /** Tells which of our windows represents us (the first connection of `self`), and which one is this window. */
  store: {
    readonly snapshot: { readonly self: { readonly connections: readonly { readonly connectionId: string }[] } | null }
    own(change: object): { readonly connectionId: string | null }
  }
}

const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']

/** Tracks whether somebody uses a browser's page. Returns a function that stops the tracking. */
export function trackActivity({ clock, presence, store, ...thresholds }: ActivityTrackerOptions): () => void {
  const controller = new AbortController()
  const { signal } = controller
  let signals: ActivitySignals = { inputAt: clock.now(), hiddenAt: null }
  let activity: Activity = 'active'
  let stopTimer = () => {}
  let answered: object | undefined
  const update = () => {
    const now = clock.now()
    const current = activityOf(signals, thresholds, now)
    if (current !== activity) presence.update({ activity: (activity = current) })
    const next = changesAt(signals, thresholds, now)
    stopTimer()
    if (next < Infinity) stopTimer = clock.after(next - now, update)
  }
  const onInput = () => {
    signals = { ...signals, inputAt: clock.now() }
    // While active, input needs no update, because the timer reads `inputAt`: a pointer may move a thousand times a
    // second.
    if (activity !== 'active') return update()
    const speaker = store.snapshot.self?.connections[0]
    // Posted once for each use of the other window, which represents us until the answer to this post arrives.
    if (speaker && speaker !== answered && speaker.connectionId !== store.own({}).connectionId) presence.use()
    answered = speaker
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
