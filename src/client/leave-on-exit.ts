import type { Clock } from '../shared/clock.js'

type Signal = 'SIGINT' | 'SIGTERM'
declare const process:
  | {
      readonly pid: number
      on(event: Signal | 'beforeExit', run: (event: Signal) => void): void
      off(event: Signal | 'beforeExit', run: (event: Signal) => void): void
      listenerCount(event: Signal): number
      kill(pid: number, signal: Signal): void
    }
  | undefined

const signals = ['SIGINT', 'SIGTERM'] as const

/** A server that does not answer keeps nobody longer than this. */
const patienceMs = 2_000

/**
 * Closes the client before a signal ends the process. Returns a function that stops this. The clock is passed, since an
 * import that this chunk shares with the first load would make a bundler split that into more files.
 */
export function leaveOnExit(client: { close(): Promise<void> }, clock: Clock): () => void {
  if (typeof process === 'undefined' || typeof process.on !== 'function') return () => {}
  const host = process
  const idle = () => void client.close()
  const interrupted = (signal: Signal) => {
    const patience = new Promise<void>((resolve) => clock.after(patienceMs, resolve))
    const end = () => {
      stop()
      // Without a listener, the signal ends the process as if nobody had waited. A listener of the app decides otherwise.
      if (host.listenerCount(signal) === 0) host.kill(host.pid, signal)
    }
    Promise.race([client.close(), patience]).then(end, end)
  }
  const stop = () => {
    host.off('beforeExit', idle)
    for (const signal of signals) host.off(signal, interrupted)
  }
  host.on('beforeExit', idle)
  for (const signal of signals) host.on(signal, interrupted)
  return stop
}
