import type { Lock, LockOptions } from 'hereabouts/client'
import type { CellLocation, RoomTypesWith } from 'hereabouts'

type Locks = RoomTypesWith<{ location: CellLocation; locks: true }>

/** A client that locks a place again and again, and releases it at once each time. */
export interface EagerLocker {
  /** The times of the wall clock at which the place was granted. */
  readonly gotAt: readonly number[]
  end(): Promise<void>
}

export function eagerLocker(
  room: {
    lock(location: CellLocation, options?: LockOptions): Promise<Pick<Lock<Locks>, 'release'> | null>
  },
  place: CellLocation,
): EagerLocker {
  const gotAt: number[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      const lock = await room.lock(place).catch(() => null)
      if (lock) gotAt.push(Date.now())
      await lock?.release()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  return {
    gotAt,
    async end() {
      isOver = true
      await asking
    },
  }
}
