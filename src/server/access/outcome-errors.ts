import { LocationError } from '../../shared/errors.js'
import type { Outcome } from '../rules/backend.js'

export const ownedError = () =>
  new LocationError('connection-owned', "This connectionKey is another member's: make a new key, once.")

/** @throws LocationError `connection-owned`, `room-full` */
export function assertPosted(outcome: Outcome): asserts outcome is Extract<Outcome, { type: 'posted' }> {
  if (outcome.type === 'posted') return
  if (outcome.type !== 'full') throw ownedError()
  const message =
    outcome.of === 'room'
      ? 'This room has all the people it may have: try again later.'
      : 'You are in this room with all the connections you may have: close one.'
  throw new LocationError('room-full', message)
}
