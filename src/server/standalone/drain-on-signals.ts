import { systemClock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'

/** A server that can be drained and closed: a `LocationServer`, or an app's own server together with its hub. */
export type Drainable = {
  hub: {
    /** Refuses new streams and ends the open ones. Resolves when all have ended. */
    drain(): Promise<void>
  }
  /** Closes the server. Resolves when it no longer listens. */
  close(): Promise<void>
}

// A signal that follows within this time is a duplicate. Ctrl-C in a terminal reaches npm and its child, and npm
// forwards it: the child receives one signal twice.
const duplicateMs = 500
// The maximum time for closing the server after draining. All streams have ended by then, and a slow backend must not
// delay the exit beyond the usual 30 seconds.
const closeMs = 5_000

/**
 * Drains a server on SIGTERM or SIGINT: refuses new streams, ends the open ones spread over `timing.drainMs` (default 20
 * seconds), closes the server, and exits with code 0. A second signal exits at once, with code 1.
 *
 * @param onDrain called with the name of the signal when draining begins.
 * @returns a function that removes the signal handlers.
 * @throws LocationError `misconfigured` for what has no `hub.drain()` and `close()`.
 */
export function drainOnSignals(server: Drainable, onDrain: (signal: string) => void = () => {}): () => void {
  assertDrainable(server)
  const signals = ['SIGTERM', 'SIGINT'] as const
  let since: number | null = null
  const finish = async () => {
    await server.hub.drain()
    systemClock.after(closeMs, () => process.exit(0))
    await server.close()
    process.exit(0)
  }
  const handle = (signal: string) => {
    const now = systemClock.now()
    if (since !== null && now - since < duplicateMs) return
    if (since !== null) process.exit(1)
    since = now
    onDrain(signal)
    finish().catch(() => process.exit(1))
  }
  for (const signal of signals) process.on(signal, handle)
  return () => signals.forEach((signal) => process.off(signal, handle))
}

function assertDrainable(server: { hub?: { drain?: unknown }; close?: unknown } | undefined): void {
  if (typeof server?.hub?.drain === 'function' && typeof server.close === 'function') return
  throw new LocationError('misconfigured', 'drainOnSignals needs a server: pass one with hub.drain() and close().')
}
