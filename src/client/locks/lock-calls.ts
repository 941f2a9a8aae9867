import type { LockLocationOutput } from '../../shared/lock-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { LockingRoom } from './locking-room.js'
import type { Place } from './place.js'

/** The calls about the locks of a room. */
export interface LockCalls<T extends RoomTypes> {
  /**
   * Asks for a place until the server decides. Resolves to `null` when nobody wants the place any more, or it was lost.
   */
  ask(place: Place<T>, own: { takeOver?: true; claim?: number }): Promise<LockLocationOutput | null>
  /**
   * Releases a lock, by best effort: a lock that stays is seen in the room later, and released then (lock-watch.ts).
   */
  unlock(location: T['location'], fence: number): Promise<void>
}

export function openLockCalls<T extends RoomTypes>(locking: LockingRoom<T>): LockCalls<T> {
  const { room, transport, store, presence, pace, hasLeft, LocationError, failureOf, retryDelayMs } = locking
  let latest: Promise<unknown> = Promise.resolve()
  let lockSeq = 0

  const wait = (ms: number) => new Promise<void>((resolve) => transport.clock.after(ms, resolve))
  /** Makes one call after the other, so that they arrive in the order of their `lockSeq`. */
  const call = (procedure: 'lockLocation' | 'unlockLocation', own: object): Promise<unknown> => {
    const send = () => {
      const input = { room, connectionKey: presence.key, lockSeq: ++lockSeq, ...own }
      return transport.call('mutation', procedure, input, pace.deadlineMs())
    }
    return (latest = latest.then(send, send))
  }
  /** Waits because the server does not count us as present. From the second time on, also posts our state again. */
  const enterAgain = (failures: number) => {
    if (failures > 1) presence.postAgain()
    return wait((pace.timing.beatMs / 20) * Math.min(failures, 10))
  }
  /** Waits until we are in the room. @throws LocationError when the room was left, or the server has no locks. */
  const ready = async () => {
    await presence.flush()
    await store.expect(() => store.view.id !== null || hasLeft())
    if (hasLeft()) throw new LocationError('closed', 'The room was left: join it again.')
    // Before the first hello or poll, only the server knows whether it has locks: the call is made.
    if (pace.timing.features && !pace.timing.locks)
      throw new LocationError('misconfigured', 'This server has no locks: set `locks: true` on its hub.')
  }
  return {
    async ask(place, own) {
      for (let failures = 0; ;) {
        await ready()
        if (place.users === 0 || place.lost.signal.aborted) return null
        try {
          const reply = (await call('lockLocation', { location: place.location, ...own })) as LockLocationOutput
          failures += 1
          if (reply.outcome === 'taken' && reply.holder === null) await wait(claimWaitMs(reply.retryAfterMs))
          else if (reply.outcome === 'absent' || reply.outcome === 'stale') await enterAgain(failures)
          else return reply
        } catch (thrown) {
          const { error, retry } = failureOf(thrown)
          if (!retry) throw error
          failures += 1
          await wait(retryDelayMs(failures, error, pace.context()))
        }
      }
    },
    async unlock(location, fence) {
      await call('unlockLocation', { location, fence }).catch(() => {})
    },
  }
}

/** Returns the wait for the end of the claims: no number of the wire makes us ask without a pause, or wait for hours. */
const claimWaitMs = (asked: unknown) =>
  typeof asked === 'number' && asked > 0 ? Math.min(Math.max(asked, 50), 60_000) : 1_000
