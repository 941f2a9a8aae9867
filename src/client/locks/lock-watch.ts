import type { RoomTypes } from '../../shared/room-types.js'
import type { LockCalls } from './lock-calls.js'
import type { LockingRoom } from './locking-room.js'
import type { Places } from './place.js'

/** Ends what time ends: a lock that the server can no longer know to be ours, one of an idle page, and one that nobody wants. */
export interface LockWatch {
  check(): void
  stop(): void
}

/** Calls `check` of its own accord when something is due. `due` runs it with all other checks. */
export function openLockWatch<T extends RoomTypes>(
  { transport, store, pace, presence, own, canonicalText }: LockingRoom<T>,
  { unlock }: LockCalls<T>,
  places: Places<T>,
  due: () => void,
): LockWatch {
  const { clock } = transport
  /** Locks of our connection that nobody here asked for, with the time at which they were noticed. */
  const strays = new Map<number, number>()
  let idleSince: number | null = null
  let stopTimer = () => {}
  const strayMs = () => pace.timing.beatMs / 2

  /** Releases the locks of our connection that nobody here has or wants, such as those of calls that were given up. */
  const releaseStrays = () => {
    const wanted = new Set(places.byText.keys())
    const unwanted = (own() ?? []).filter(({ location }) => !wanted.has(canonicalText(location)))
    for (const fence of strays.keys()) if (!unwanted.some((stray) => stray.fence === fence)) strays.delete(fence)
    for (const { location, fence } of unwanted) {
      const since = strays.get(fence)
      if (since === undefined) strays.set(fence, clock.now())
      else if (clock.now() - since >= strayMs()) {
        strays.set(fence, clock.now())
        void unlock(location, fence)
      }
    }
  }
  /** Returns when our locks end: for want of an accepted post, and because nobody uses the page. */
  const endsAt = (now: number) => {
    const { locks } = pace.timing
    const lockMs = Math.min(positive(locks?.lockMs, 30_000), 600_000)
    const idleMs = positive(locks?.idleMs, Infinity)
    const { activity = 'active' } = store.own({}).draft ?? {}
    idleSince = activity === 'active' ? null : (idleSince ?? now)
    return { lostAt: presence.acceptedAt + lockMs, idleAt: idleSince === null ? Infinity : idleSince + idleMs }
  }
  return {
    check() {
      releaseStrays()
      const now = clock.now()
      const { lostAt, idleAt } = endsAt(now)
      const held = now >= Math.min(lostAt, idleAt) ? places.held() : []
      for (const place of held) {
        places.lose(place)
        if (now < lostAt) void unlock(place.location, place.fence)
      }
      stopTimer()
      const strayAt = Math.min(...strays.values()) + strayMs()
      const next = places.held().length > 0 ? Math.min(lostAt, idleAt, strayAt) : strayAt
      if (next < Infinity) stopTimer = clock.after(Math.max(next - now, 50), due)
    },
    stop: () => stopTimer(),
  }
}

/** Returns a number of the wire; `usual` when it is no positive number. */
const positive = (value: unknown, usual: number) => (typeof value === 'number' && value > 0 ? value : usual)
