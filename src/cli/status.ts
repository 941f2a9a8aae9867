import { LocationError, type RoomStatus } from '../client/index.js'
import type { Clock } from '../server/index.js'
import { failureOf } from './failure.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import type { AnyWatch, Target } from './target.js'

/**
 * Prints changes of a room's connection. While disconnected, the last line of a terminal counts down to the next attempt.
 * Refusals are printed from the call of `begun` on: an earlier one ends the command, which says why.
 */
export function followStatus(
  room: AnyWatch,
  options: { target: Target; output: Output; clock: Clock },
): { begun(): void } {
  const { target, output, clock } = options
  let hasBegun = false
  let wasLive = false
  let isLost = false
  let callOff = () => {}

  const countDown = (status: Waiting) => {
    const seconds = Math.max(0, Math.ceil((status.retryAt.getTime() - clock.date().getTime()) / 1_000))
    const why = wasLive ? '' : `no answer from ${target.url} yet: `
    output.pin(`${why}trying again in ${seconds} s (attempt ${status.attempt + 1})`)
    callOff = clock.after(1_000, () => countDown(status))
  }
  const tell = (status: RoomStatus) => {
    callOff()
    switch (status.state) {
      case 'waiting':
        output.say(
          'status',
          { room: room.id, ...statusRecord(status) },
          wasLive && !isLost ? `${output.time()}  connection lost` : null,
        )
        isLost = true
        return countDown(status)
      case 'live':
        output.pin('')
        output.say(
          'status',
          { room: room.id, status: status.state },
          wasLive && isLost ? `${output.time()}  live again` : null,
        )
        wasLive = true
        isLost = false
        return
      case 'connecting':
      case 'degraded':
      case 'polling':
        output.say('status', { room: room.id, status: status.state }, null)
        return output.pin(wasLive ? '' : `connecting to ${target.url}`)
      case 'closed':
        output.pin('')
        // A room that was left by this command itself is not reported.
        if (status.reason !== 'left')
          output.say('status', { room: room.id, status: status.state, reason: status.reason }, null)
    }
  }
  room.on('status', ({ current }) => tell(current))
  room.on('error', ({ error }) => {
    const { message } = failureOf(error, target.url)
    const code = error instanceof LocationError ? error.code : 'network'
    const isOver = !hasBegun || room.status.state === 'closed'
    output.say('error', { room: room.id, code, message }, isOver ? null : `${output.time()}  ${printable(message)}`)
  })
  tell(room.status)
  return { begun: () => void (hasBegun = true) }
}

type Waiting = RoomStatus & { state: 'waiting' }

function statusRecord({ state: status, retryAt, attempt, error }: Waiting) {
  return { status, retryAt: retryAt.toISOString(), attempt, message: error.message }
}
