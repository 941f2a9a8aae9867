import type { Failure } from '../connection/failure.js'

/** The time in milliseconds for which SSE is used after WebSockets did not work. */
const fallbackMs = 300_000

export type SseFallback = ReturnType<typeof sseFallback>

/** Decides when SSE is used: for five minutes after two sockets in a row that failed before a hello. */
export function sseFallback(now: () => number) {
  let failures = 0
  let until = -Infinity
  return {
    isActive: () => now() < until,
    worked() {
      failures = 0
      until = -Infinity
    },
    /** Called once for a socket that could not be opened, or failed before a stream on it had begun. */
    failed() {
      failures += 1
      if (failures >= 2) until = now() + fallbackMs
    },
    /**
     * Wraps the listener of a stream over HTTP. If that stream fails, too, WebSockets were not the cause: they are
     * tried again.
     */
    watch<L extends { event(id: string, event: { type: string }): void; ended(failure: Failure): void }>(
      listener: L,
    ): L {
      let hasBegun = false
      return {
        ...listener,
        event: (id: string, event: { type: string }) => {
          hasBegun = true
          listener.event(id, event)
        },
        ended: (failure: Failure) => {
          if (!hasBegun) this.worked()
          listener.ended(failure)
        },
      }
    },
  }
}
