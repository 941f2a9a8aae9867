import type { Clock } from '../server/index.js'
import { applyEvent, View, type Connection, type GetLocationsOutput } from '../shared/index.js'
import { query, type AnyWatch, type Target } from './target.js'

/** A place that a connection of a member has locked. */
export type HeldLock = { memberId: string; place: unknown; fence: number }

/** The locks of a room. */
export interface LockList {
  readonly held: readonly HeldLock[]
  /** Calls `changed` with each lock that came or went, until the process ends. */
  follow(changed: (type: 'locked' | 'unlocked', lock: HeldLock) => void): void
}

/** Locks are read again at most this often, in milliseconds: a busy room changes all the time. */
const spacingMs = 250

/**
 * Reads the locks of a room. The client only tells who holds a given place, so all locks are queried after each change
 * of the room. A server without locks is queried once.
 *
 * @throws LocationError and Failure as `query` does.
 */
export async function locksIn(room: AnyWatch, target: Target, clock: Clock): Promise<LockList> {
  const view = new View()
  let hasLocks = true
  const read = async (): Promise<HeldLock[]> => {
    const input = { room: room.id, ...(view.id !== null && { lastEventId: view.id }) }
    const { id, event, features } = await query<GetLocationsOutput>(target, 'getLocations', input)
    hasLocks = features?.includes('locks') ?? false
    applyEvent(view, id, event)
    return [...view.connections.values()].flatMap(locksOf)
  }
  let held = await read()
  let isReading = false
  let isStale = false
  const update = async (changed: Parameters<LockList['follow']>[0]) => {
    isStale = true
    if (isReading || !hasLocks) return
    isReading = true
    while (isStale) {
      isStale = false
      let waitMs = spacingMs
      // When the query fails, the next change of the room starts another one, no sooner than the server asked for.
      const now = await read().catch((error: { retryAfterMs?: number }) => {
        waitMs = Math.max(waitMs, error.retryAfterMs ?? 0)
        return held
      })
      for (const lock of held) if (!now.some(isSame(lock))) changed('unlocked', lock)
      for (const lock of now) if (!held.some(isSame(lock))) changed('locked', lock)
      held = now
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
    }
    isReading = false
  }
  return {
    get held() {
      return held
    },
    follow: (changed) => void room.subscribe(() => void update(changed)),
  }
}

const locksOf = ({ memberId, locks = [] }: Connection): HeldLock[] =>
  locks.map(({ location, fence }) => ({ memberId, place: location, fence }))

/**
 * True if two entries are the same grant of a lock. Fences of one room differ, but may repeat after a new epoch has
 * begun: so the members are compared too.
 */
const isSame = (one: HeldLock) => (other: HeldLock) => one.fence === other.fence && one.memberId === other.memberId
