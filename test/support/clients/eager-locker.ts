import type { Lock, LockOptions } from 'hereabouts/client'
import type { CellLocation, RoomTypesWith } from 'hereabouts'

type Locks = RoomTypesWith<{ location: CellLocation; locks: true }>

/** Somebody who asks for a place all the time, and lets go of it at once. */
export interface EagerLocker {
  /** When the place was granted, by the wall clock. */
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
