import { startTimer, systemClock, type Clock } from '../../shared/clock.js'

/**
 * The system clock for background work of a server: pending timers do not keep the process alive. It is not beside
 * `systemClock`, since bundlers would keep it in the client.
 */
export const backgroundClock: Clock = {
  ...systemClock,
  after(delayMs, run) {
    const timer = startTimer(delayMs, run)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
