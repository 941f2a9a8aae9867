import type { Clock } from '../../shared/clock.js'

export interface LostDetectorOptions {
  clock: Clock
  /** Interruptions shorter than this are not reported. */
  lostMs: number
  /** @param since the monotonic reading at which the interruption began. */
  lost(since: number): void
  restored(since: number): void
}

/** Distinguishes a lost connection from a short interruption. */
export interface LostDetector {
  /** Called at each change of whether events of the room reach us. */
  note(present: boolean): void
  /** Called when we left or were refused, which is not a loss of connection. */
  stop(): void
}

export function detectLoss({ clock, lostMs, lost, restored }: LostDetectorOptions): LostDetector {
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
        if (before === 'lost') restored(since)
      } else if (state === 'present') {
        state = 'interrupted'
        since = clock.now()
        stop = clock.after(lostMs, () => {
          state = 'lost'
          lost(since)
        })
      }
    },
    stop() {
      stop()
      if (state === 'interrupted') state = 'present'
    },
  }
}
