import type { RoomTypes } from '../../shared/room-types.js'
import { openLockCalls } from './lock-calls.js'
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
  const { store, hasLeft, firstLoad } = room
  const places = openPlaces<T>(firstLoad.LocationError)
  const calls = openLockCalls(room)
  let unsubscribe = () => {}

  /** The room is left, and all locks with it. */
  const close = () => {
    unsubscribe()
    watch.stop()
    claims.stop()
    for (const place of places.byText.values()) places.lose(place)
  }
  /** Compares what we hold with the time, and with what the room shows. */
  const check = () => {
    if (hasLeft()) return close()
    watch.check()
    claims.check()
  }
  const claims = openLockClaims(room, calls, places, check)
  const watch = openLockWatch(room, calls, places, check)

  const take = async (place: Place<T>, takeOver?: true): Promise<Lock<T> | null> => {
    const reply = await calls.ask(place, takeOver ? { takeOver } : {})
    if (reply?.outcome !== 'locked') return null
    // Given up, and asked for again meanwhile: the lock is the newer asker's, whose call is answered with the same fence.
    if (place.users === 0 && places.byText.has(place.text)) return null
    claims.granted(place, reply.fence)
    place.lock = lockOf(place, () => release(place))
    // Every caller gave up meanwhile.
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
    const place = places.enter(firstLoad.canonicalText(location))
    place.users += 1
    try {
      const lock = await until(signal, place.lock ?? (place.taking ??= take(place, takeOver)))
      if (!lock) places.forget(place)
      return lock
    } catch (error) {
      void release(place)
      throw error
    }
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
  // Safari lacked it in early 2026.
  if (Symbol.asyncDispose) Object.assign(lock, { [Symbol.asyncDispose]: release })
  return lock
}

/** Resolves with the result, unless `signal` aborts before. */
async function until<V>(signal: AbortSignal | undefined, result: V | Promise<V>): Promise<V> {
  if (!signal) return result
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort)
    stop = () => signal.removeEventListener('abort', abort)
  })
  try {
    return await Promise.race([result, aborted])
  } finally {
    stop()
  }
}
