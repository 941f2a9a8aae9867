import type { RoomTypes } from '../../shared/room-types.js'
import type { LocationError } from '../../shared/errors.js'
import type { Store } from '../store/store.js'
import type { Pace } from './post-pace.js'

/** An epoch that the server told us: in a reply to a post of ours, in a heartbeat, or in a snapshot. */
export type ToldEpoch = {
  from: 'post' | 'beat' | 'snapshot'
  epoch: string
  /** The epoch that the view had when `epoch` arrived. */
  shown: string
  now: number
}

export const splitRoomMessage =
  'Several server processes answer, and each has this room for itself: people see a part of the others only. ' +
  'Give every process the same Redis backend, or run one process.'

/**
 * The most superseded epochs that are remembered, so that a server that sends ever new epochs cannot fill the memory.
 */
const most = 32

/**
 * Detects a split room: several server processes keep the room, each in its own memory. A room that is not split has
 * one epoch at a time, and a superseded epoch does not come back. After a restart or a failover, the replies to posts
 * and the stream name different epochs, too, but for less than a heartbeat interval.
 *
 * Returns a function that takes each epoch that the server tells us, and returns true when the room is certainly split.
 *
 * @param heartbeatMs returns the heartbeat interval.
 */
export function detectSplitRoom(heartbeatMs: () => number): (told: ToldEpoch) => boolean {
  let superseded: string[] = []
  let changedAt = -Infinity
  let returns = 0
  /** The time since when the replies to posts have named another epoch than the stream. */
  let disagreeingSince = Infinity
  /** True when a heartbeat has confirmed the epoch of the stream since `disagreeingSince`. */
  let confirmed = false

  const posted = ({ epoch, shown, now }: ToldEpoch) => {
    // A late reply to a post that was sent in the previous epoch: the timeout of a post is two heartbeat intervals.
    const isLate = superseded.includes(epoch) && now - changedAt < 2 * heartbeatMs()
    // A reply that names the epoch of the stream proves nothing: a balancer may send every other post to the stream's
    // process.
    if (epoch === shown || isLate) return false
    disagreeingSince = Math.min(disagreeingSince, now)
    return confirmed && now - disagreeingSince >= heartbeatMs()
  }
  const beaten = ({ now }: ToldEpoch) => {
    const before = confirmed
    // In the first tenth of a heartbeat interval, a late heartbeat of the previous process confirms nothing.
    confirmed ||= now - disagreeingSince >= heartbeatMs() / 10
    return before
  }
  const begunAnew = ({ epoch, shown, now }: ToldEpoch) => {
    disagreeingSince = Infinity
    confirmed = false
    returns = superseded.includes(epoch) ? returns + 1 : 0
    superseded = [shown, ...superseded.filter((known) => known !== shown)].slice(0, most)
    changedAt = now
    return returns > 1
  }
  return (told) => {
    if (told.from === 'post') return posted(told)
    if (told.epoch !== told.shown) return begunAnew(told)
    return told.from === 'beat' && beaten(told)
  }
}

/** Returns a function that takes each epoch that the server tells us, and raises one error when the room is split. */
export function reportSplitRoom<T extends RoomTypes>(
  pace: Pace,
  store: Pick<Store<T>, 'fail'>,
  { LocationError: ErrorClass }: { LocationError: typeof LocationError },
): (told: ToldEpoch) => void {
  const isSplit = detectSplitRoom(() => pace.timing.beatMs)
  let reported = false
  return (told) => {
    if (reported || !isSplit(told)) return
    reported = true
    store.fail(new ErrorClass('misconfigured', splitRoomMessage))
  }
}
