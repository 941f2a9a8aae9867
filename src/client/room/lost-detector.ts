import type { Clock } from '../../shared/clock.js'

export interface LostDetectorOptions {
  clock: Clock
  /** What is shorter than this is nobody's business. */
  lostMs: number
  lost(since: number): void
  restored(since: number): void
}

/** Tells a connection that is lost from one that blinked. */
export interface LostDetector {
  /** Told at each change whether word from the room reaches us. */
  note(present: boolean): void
  /** We left, or were refused: that is no loss of connection. */
  stop(): void
}

export function detectLoss({ clock, lostMs, lost, restored }: LostDetectorOptions): LostDetector {
  // Who was never there cannot be lost.
  let state: 'never' | 'present' | 'blinking' | 'lost' = 'never'
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
        state = 'blinking'
        since = clock.now()
        stop = clock.after(lostMs, () => {
          state = 'lost'
          lost(since)
        })
      }
    },
    stop() {
      stop()
      if (state === 'blinking') state = 'present'
    },
  }
}
