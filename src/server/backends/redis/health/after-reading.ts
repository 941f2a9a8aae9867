import type { Clock } from '../../../../shared/clock.js'

/**
 * Runs `run` after `ms` milliseconds, but not before data that has arrived by then was read. When the process itself
 * stalled, timers run before sockets are read, and replies that have already arrived would count as late. Returns a
 * function that cancels it.
 */
export function afterReading(clock: Clock, ms: number, run: () => void): () => void {
  let cancel = clock.after(ms, () => (cancel = clock.after(1, run)))
  return () => cancel()
}
