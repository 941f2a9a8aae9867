import type { RoomTypes } from '../../shared/room-types.js'
import type { LocationError } from '../../shared/errors.js'
import type { Store } from '../store/store.js'
import type { Pace } from './post-pace.js'

/** An id that the server told us: in a reply to a post of ours, in a heartbeat, or in a snapshot. */
export type ToldEpoch = {
  from: 'post' | 'beat' | 'snapshot'
  epoch: string
  /** The epoch that the view had when it was told. */
  shown: string
  now: number
}

export const splitRoomMessage =
  'Several server processes answer, and each has this room for itself: people see a part of the others only. ' +
  'Give every process the same Redis backend, or run one process.'

/** Epochs are remembered up to this number, so that a server that invents them cannot fill the memory. */
const most = 32

/**
 * Detects a room that several processes have in their own memory. A room has one epoch at a time, and a superseded epoch
 * does not come back. After a restart or a failover, posts and stream disagree, too, but for less than a heartbeat interval.
 *
 * Returns a function that takes what the server tells us, and returns true when the room is certainly split.
 *
 * @param heartbeatMs returns the heartbeat interval.
 */
export function detectSplitRoom(heartbeatMs: () => number): (told: ToldEpoch) => boolean {
  let superseded: string[] = []
  let changedAt = -Infinity
  let returns = 0
  /** Since when the posts are answered from another epoch than the stream's. */
  let disagreeingSince = Infinity
  /** True when a heartbeat of the stream confirmed its epoch since. */
  let confirmed = false

  const posted = ({ epoch, shown, now }: ToldEpoch) => {
    // The reply to a post that was sent before the room began anew: its timeout is two heartbeat intervals.
    const isLate = superseded.includes(epoch) && now - changedAt < 2 * heartbeatMs()
    // A balancer may send every other post to the process of the stream: that these agree says nothing.
    if (epoch === shown || isLate) return false
    disagreeingSince = Math.min(disagreeingSince, now)
    return confirmed && now - disagreeingSince >= heartbeatMs()
  }
  const beaten = ({ now }: ToldEpoch) => {
    const before = confirmed
    // A heartbeat of the previous process may have been under way with the reply of the next.
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

/** Returns a function that takes what the server tells us, and raises an error when the room is split, once. */
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
