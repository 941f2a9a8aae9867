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

/** The longest time in milliseconds for which the process waits for the server to answer its leave requests. */
const patienceMs = 2_000

/**
 * Closes the client before SIGINT or SIGTERM ends the process, and when the process has no more work. Returns a
 * function that removes the listeners. The clock is an argument, because an import that this chunk shares with the
 * first load would make a bundler split the first load into more files.
 */
export function leaveOnExit(client: { close(): Promise<void> }, clock: Clock): () => void {
  if (typeof process === 'undefined' || typeof process.on !== 'function') return () => {}
  const host = process
  const idle = () => void client.close()
  const interrupted = (signal: Signal) => {
    const patience = new Promise<void>((resolve) => clock.after(patienceMs, resolve))
    const end = () => {
      stop()
      // Our listener is removed. Without a listener of the app, the signal is sent again and now ends the process;
      // otherwise the app's listener decides when the process ends.
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
