import type { RoomTypes } from '../../shared/room-types.js'
import type { LockCalls } from './lock-calls.js'
import type { LockingRoom } from './locking-room.js'
import type { Places } from './place.js'

/**
 * Ends a lock that the server may no longer count as ours, a lock of an idle page, and a lock that nobody here wants.
 */
export interface LockWatch {
  check(): void
  stop(): void
}

/** Creates the watch. A timer calls `due` when the next lock may end; `due` runs `check` and all other checks. */
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
  /**
   * Returns the times at which our locks end: `lostAt` without a newer accepted post, `idleAt` while nobody uses the
   * page.
   */
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

/** Returns a number that the server sent; `usual` when it is no positive number. */
const positive = (value: unknown, usual: number) => (typeof value === 'number' && value > 0 ? value : usual)
