import { setMaxListeners } from 'node:events'
import type { Clock } from '../server/index.js'
import { exitCode } from './failure.js'

/*
 * A program started through npm or npx receives one Ctrl-C twice within milliseconds: from the terminal, which signals the
 * whole process group, and from npm, which forwards it. A signal that follows this soon is the same keypress.
 */
const echoMs = 250

/** The first SIGINT, SIGTERM or SIGHUP aborts the returned signal, so that rooms can be left. A second one ends the process. */
export function interruption(clock: Clock): AbortSignal {
  const controller = new AbortController()
  // Every bot adds a listener to the signal, and Node warns above ten listeners.
  setMaxListeners(0, controller.signal)
  let firstAt = Infinity
  const interrupt = () => {
    if (clock.now() - firstAt > echoMs) process.exit(exitCode.killed)
    if (controller.signal.aborted) return
    firstAt = clock.now()
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  return controller.signal
}

/** Returns a signal that aborts as soon as one of the given signals aborts. */
export function eitherOf(...signals: AbortSignal[]): AbortSignal {
  const either = AbortSignal.any(signals)
  setMaxListeners(0, either)
  return either
}

/** Returns a signal that aborts with `signal`, or after this many seconds. */
export function bounded(signal: AbortSignal, seconds: number | undefined, clock: Clock): AbortSignal {
  if (seconds === undefined) return signal
  const controller = new AbortController()
  const callOff = clock.after(seconds * 1_000, () => controller.abort())
  signal.addEventListener('abort', callOff)
  return eitherOf(signal, controller.signal)
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Resolves after `ms` milliseconds, or when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      callOff()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const callOff = clock.after(ms, done)
    signal.addEventListener('abort', done)
  })
}
