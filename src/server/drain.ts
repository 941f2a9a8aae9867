/** What can be drained and closed: a `LocationServer`, or an app's own server around a hub. */
export type Drainable = { hub: { drain(): Promise<void> }; close(): Promise<void> }

/**
 * On SIGTERM or SIGINT: takes no more streams, ends the open ones spread over 20 seconds, closes, and lets the process
 * end with code 0. On a second signal: ends at once.
 *
 * @returns what takes the handlers away again.
 */
export function drainOnSignals(server: Drainable, onDrain: (signal: NodeJS.Signals) => void = () => {}): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  let isDraining = false
  const handle = (signal: NodeJS.Signals) => {
    if (isDraining) process.exit(1)
    isDraining = true
    onDrain(signal)
    const finish = async () => {
      await server.hub.drain()
      await server.close()
      process.exit(0)
    }
    finish().catch(() => process.exit(1))
  }
  for (const signal of signals) process.on(signal, handle)
  return () => signals.forEach((signal) => process.off(signal, handle))
}
