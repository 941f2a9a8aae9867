import type { Clock } from '../../shared/clock.js'

/** Distinguishes a lost connection from a short interruption. */
export interface LostDetector {
  /** Called when events of the room begin (`present`) or cease to reach us. */
  note(present: boolean): void
  /** Called when we left the room or were refused, which is not a loss of connection. */
  stop(): void
}

/**
 * Calls `changed` when the connection is lost and when it is restored.
 *
 * @param lostMs shorter interruptions, in milliseconds, are not reported.
 * @param changed receives `since`, the monotonic reading at which the interruption began.
 */
export function detectLoss(
  clock: Clock,
  lostMs: number,
  changed: (isLost: boolean, since: number) => void,
): LostDetector {
  // A connection that was never present cannot be lost.
  let state: 'never' | 'present' | 'interrupted' | 'lost' = 'never'
  let since = 0
  let stop = () => {}
  return {
    note(present) {
      if (present) {
        const before = state
        stop()
        state = 'present'
        if (before === 'lost') changed(false, since)
      } else if (state === 'present') {
        state = 'interrupted'
        since = clock.now()
        stop = clock.after(lostMs, () => {
          state = 'lost'
          changed(true, since)
        })
      }
    },
    stop() {
      stop()
      if (state === 'interrupted') state = 'present'
    },
  }
}
