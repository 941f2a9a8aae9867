import { setMaxListeners } from 'node:events'
import type { Clock } from '../server/index.js'
import { exitCode } from './failure.js'

/*
 * Started through npm or npx, a program hears one Ctrl-C twice within milliseconds: from the terminal, which tells the
 * whole process group, and from npm, which passes it on. Nobody's second thought comes that soon.
 */
const echoMs = 250

/** Ctrl-C, or a polite kill: the first aborts the signal, so that rooms can be left; a second one ends the process. */
export function interruption(clock: Clock): AbortSignal {
  const controller = new AbortController()
  // Every bot listens, and there may be more than the ten that Node finds normal.
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

/** Aborted with the first of them. */
export function eitherOf(...signals: AbortSignal[]): AbortSignal {
  const either = AbortSignal.any(signals)
  setMaxListeners(0, either)
  return either
}

/** Aborted with `signal`, or when so many seconds have passed. */
export function bounded(signal: AbortSignal, seconds: number | undefined, clock: Clock): AbortSignal {
  if (seconds === undefined) return signal
  const controller = new AbortController()
  const callOff = clock.after(seconds * 1_000, () => controller.abort())
  signal.addEventListener('abort', callOff)
  return eitherOf(signal, controller.signal)
}

/** Resolves when aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Resolves after a while, or when aborted. */
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
