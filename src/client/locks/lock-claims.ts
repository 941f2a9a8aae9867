import type { RoomTypes } from '../../shared/room-types.js'
import type { LockCalls } from './lock-calls.js'
import type { LockingRoom } from './locking-room.js'
import type { Place, Places } from './place.js'

/** Keeps our locks in step with what the room shows. */
export interface LockClaims<T extends RoomTypes> {
  /** The server granted us a place. */
  granted(place: Place<T>, fence: number): void
  /** Compares the places that we hold with the room. */
  check(): void
  stop(): void
}

/** Claims our locks again after the server lost its state. Calls `claimed` after each answer. */
export function openLockClaims<T extends RoomTypes>(
  { transport, store, pace, presence, connection, own, parseEventId }: LockingRoom<T>,
  { ask }: LockCalls<T>,
  places: Places<T>,
  claimed: () => void,
): LockClaims<T> {
  let stopRetry: (() => void) | null = null

  const shownId = () => parseEventId(store.view.id)
  const granted = (place: Place<T>, fence: number) =>
    void Object.assign(place, { fence, epoch: shownId()?.epoch, isSeen: false })
  /** Claims a place that we held before the server lost its state: it may become ours again. */
  const claim = async (place: Place<T>) => {
    place.isClaiming = true
    const reply = await ask(place, { claim: place.fence }).catch(() => null)
    place.isClaiming = false
    if (reply?.outcome === 'locked') granted(place, reply.fence)
    else places.lose(place)
    claimed()
  }
  const compare = (place: Place<T>) => {
    const id = shownId()
    if (!id || place.isClaiming) return
    if (id.epoch !== (place.epoch ??= id.epoch)) return void claim(place)
    const isShown = own()?.some(({ fence }) => fence === place.fence) ?? false
    if (isShown) place.isSeen = true
    else if (place.isSeen || id.version >= place.fence) places.lose(place)
  }
  const stop = () => {
    stopRetry?.()
    stopRetry = null
  }
  /** Reconnects soon after an outage while a lock is held: the server collects claims for a few seconds only. */
  const hurry = () => {
    if (store.snapshot.status.state !== 'waiting' || places.held().length === 0) return stop()
    stopRetry ??= transport.clock.after((0.1 + 0.1 * Math.random()) * pace.timing.beatMs, () => {
      stopRetry = null
      connection.endWait()
      presence.hasten()
    })
  }
  return {
    granted,
    check() {
      places.held().forEach(compare)
      hurry()
    },
    stop,
  }
}
