import { systemClock } from '../../shared/clock.js'

/** What can be drained and closed: a `LocationServer`, or an app's own server around a hub. */
export type Drainable = { hub: { drain(): Promise<void> }; close(): Promise<void> }

// A terminal's Ctrl-C reaches npm and its child, and npm passes it on: that is one signal, heard twice.
const echoMs = 500
// Everybody has been let go by then: what a backend has still to say must not keep the process beyond its 30 seconds.
const closeMs = 5_000

/**
 * On SIGTERM or SIGINT: takes no more streams, ends the open ones spread over 20 seconds, closes, and lets the process
 * end with code 0. On a second signal: ends at once, with code 1.
 *
 * @param onDrain told the name of the signal, when draining begins.
 * @returns what takes the handlers away again.
 */
export function drainOnSignals(server: Drainable, onDrain: (signal: string) => void = () => {}): () => void {
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
    if (since !== null && now - since < echoMs) return
    if (since !== null) process.exit(1)
    since = now
    onDrain(signal)
    finish().catch(() => process.exit(1))
  }
  for (const signal of signals) process.on(signal, handle)
  return () => signals.forEach((signal) => process.off(signal, handle))
}
