import type { Clock } from '../../shared/clock.js'
import type { GetLocationsOutput } from '../../shared/call-types.js'
import type { LocationEvent } from '../../shared/events.js'
import type { Failure } from './failure.js'
import type { RetryContext } from './connection-state.js'
import type { RoomTypes } from '../../shared/room-types.js'

export interface PollListener<T extends RoomTypes> {
  event(id: string, event: LocationEvent<T>): void
  polled(): void
  /** Called once a heartbeat interval, like the heartbeat of a stream. */
  beaten(): void
  /** Called when a poll failed: no poll follows. */
  failed(failure: Failure): void
}

export interface PollOptions<T extends RoomTypes> extends PollListener<T> {
  clock: Clock
  context(): RetryContext
  /** Calls `getLocations` with the newest event id. */
  ask(): Promise<GetLocationsOutput<T>>
  failureOf(thrown: unknown): Failure
}

/** Returns the time until the next poll: a fifth to a half of a heartbeat interval, by default 2 to 5 seconds. */
export const pollDelayMs = ({ random, beatMs }: RetryContext): number => beatMs * (0.2 + 0.3 * random)

/** Polls for new events. Returns a function that stops the polls. */
export function poll<T extends RoomTypes>({ clock, context, ask, failureOf, ...listener }: PollOptions<T>): () => void {
  let over = false
  let beatAt = -Infinity
  let stopTimer = () => {}
  const turn = async () => {
    try {
      const { id, event } = await ask()
      if (over) return
      listener.polled()
      listener.event(id, event)
    } catch (thrown) {
      if (over) return
      over = true
      return listener.failed(failureOf(thrown))
    }
    // A listener may have stopped the polls.
    if (over) return
    const { now, beatMs } = context()
    if (now - beatAt >= beatMs) {
      beatAt = now
      listener.beaten()
    }
    stopTimer = clock.after(pollDelayMs(context()), () => void turn())
  }
  void turn()
  return () => {
    over = true
    stopTimer()
  }
}
