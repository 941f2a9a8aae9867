import { LocationError } from '../../shared/errors.js'
import type { Outcome } from '../rules/backend.js'

export const ownedError = () =>
  new LocationError('connection-owned', 'This connectionKey belongs to another member: make a new key, once.')

/** Asserts that a post was accepted. @throws LocationError `connection-owned`, `room-full` */
export function assertPosted(outcome: Outcome): asserts outcome is Extract<Outcome, { type: 'posted' }> {
  if (outcome.type === 'posted') return
  if (outcome.type !== 'full') throw ownedError()
  const message =
    outcome.of === 'room'
      ? 'This room has reached its limit of connections: try again later.'
      : 'You have this room open in too many tabs or programs: close one, and this one connects.'
  throw new LocationError('room-full', message)
}
