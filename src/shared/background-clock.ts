import { systemClock, timerDelay, type Clock } from './clock.js'

/**
 * The system clock for background work of a server: pending timers do not keep the process alive. It is not beside
 * `systemClock`, since bundlers would keep it in the client.
 */
export const backgroundClock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    const timer = setTimeout(run, timerDelay(delayMs))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
