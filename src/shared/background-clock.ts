import { systemClock, timerDelay, type Clock } from './clock.js'

/**
 * The system clock for background work of a server: pending timers do not keep the process alive. This clock has a file
 * of its own, because bundlers would otherwise include it in the client together with `systemClock`.
 */
export const backgroundClock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    const timer = setTimeout(run, timerDelay(delayMs))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
