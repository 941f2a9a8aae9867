import type { LockLocationOutput } from '../../shared/lock-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import { openLockCalls, type LockCalls } from './lock-calls.js'
import { openLockClaims } from './lock-claims.js'
import type { Lock, LockOptions, RoomLockMethods } from './lock-types.js'
import { openLockWatch } from './lock-watch.js'
import { lockingRoom, type LockingRoom } from './locking-room.js'
import { openPlaces, type Place } from './place.js'

/**
 * The locks of a joined room: takes and releases places, claims them again after the server lost its state, and notices by
 * its own clock when the server can no longer know that we hold them. Returns `lock` of the room.
 */
export function openRoomLocks<T extends RoomTypes>(
  ...given: Parameters<typeof lockingRoom<T>>
): RoomLockMethods<T>['lock'] {
  const room: LockingRoom<T> = lockingRoom(...given)
  const { store, hasLeft, canonicalText } = room
  const places = openPlaces<T>(room)
  const calls = openLockCalls(room)
  let unsubscribe = () => {}

  /** Ends all locks, because the room was left. */
  const close = () => {
    unsubscribe()
    watch.stop()
    claims.stop()
    for (const place of places.byText.values()) places.lose(place)
  }
  /** Ends the locks whose time is over, and compares our locks with those that the room shows. */
  const check = () => {
    if (hasLeft()) return close()
    watch.check()
    claims.check()
  }
  const claims = openLockClaims(room, calls, places, check)
  const watch = openLockWatch(room, calls, places, check)

  const take = async (place: Place<T>): Promise<Lock<T> | null> => {
    const reply = await decided(calls, place)
    if (reply?.outcome !== 'locked') {
      // Forgotten at once, so that the next call asks the server anew instead of joining this call.
      places.forget(place)
      return null
    }
    // This call was given up, and a newer one asks for the place: it gets this lock, with the same fence.
    if (place.users === 0 && places.byText.has(place.text)) return null
    claims.granted(place, reply.fence)
    place.lock = lockOf(place, () => release(place))
    // Every caller gave up meanwhile: the lock is released at once.
    if (place.users === 0) void release(place)
    check()
    return place.lock
  }
  const release = async (place: Place<T>) => {
    place.users = Math.max(0, place.users - 1)
    if (place.users > 0) return
    const wasHeld = place.lock !== null && !place.lost.signal.aborted
    places.forget(place)
    if (wasHeld && !hasLeft()) await calls.unlock(place.location, place.fence)
  }
  unsubscribe = store.subscribe(check)
  return async (location: T['location'], { signal, takeOver }: LockOptions = {}) => {
    signal?.throwIfAborted()
    const place = places.enter(canonicalText(location))
    place.users += 1
    place.takeOver ||= takeOver
    try {
      return await until(signal, place.lock ?? (place.taking ??= take(place)))
    } catch (error) {
      void release(place)
      throw error
    }
  }
}

/**
 * Asks for a place. When a caller with `takeOver` joins while a call without it is under way, the answer `taken` is not
 * final: the place is asked for again, with `takeOver`.
 */
async function decided<T extends RoomTypes>(calls: LockCalls<T>, place: Place<T>): Promise<LockLocationOutput | null> {
  for (;;) {
    const { takeOver } = place
    const reply = await calls.ask(place, takeOver ? { takeOver } : {})
    if (reply?.outcome !== 'taken' || place.takeOver === takeOver) return reply
  }
}

function lockOf<T extends RoomTypes>(place: Place<T>, release: () => Promise<void>): Lock<T> {
  const lock: Lock<T> = {
    location: place.location,
    get fence() {
      return place.fence
    },
    signal: place.lost.signal,
    release,
  }
  // Safari lacked `Symbol.asyncDispose` in early 2026.
  if (Symbol.asyncDispose) Object.assign(lock, { [Symbol.asyncDispose]: release })
  return lock
}

/** Resolves with the result, unless `signal` aborts before. */
function until<V>(signal: AbortSignal | undefined, result: V | Promise<V>): V | Promise<V> {
  if (!signal) return result
  return new Promise<V>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    const settled = () => signal.removeEventListener('abort', abort)
    signal.addEventListener('abort', abort)
    void Promise.resolve(result).then(resolve, reject).finally(settled)
  })
}
