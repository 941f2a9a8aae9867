import { parseEventId } from '../../shared/event-id.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Transport } from '../connection/transport.js'
import { firstLoad } from '../first-load.js'
import type { Store } from '../store/store.js'
import type { Pace } from './post-pace.js'
import type { ToldEpoch } from './split-room.js'

/** Called with the event id of each reply to a post, each heartbeat and each snapshot. */
export type EpochWatch = (from: ToldEpoch['from'], id: string | undefined) => void

/**
 * Reports once when several server processes keep this room, each in its own memory. The code that detects this is
 * loaded when two epochs differ for the first time; when it cannot be loaded, nothing is reported.
 */
export function watchEpochs<T extends RoomTypes>({
  transport: { clock },
  store,
  pace,
}: {
  transport: Pick<Transport<T>, 'clock'>
  store: Pick<Store<T>, 'view' | 'fail'>
  pace: Pace
}): EpochWatch {
  let judge: Promise<(told: ToldEpoch) => void> | undefined
  /** The epoch of the newest reply to a post that arrived before the first snapshot. */
  let early: string | undefined
  const tell = (told: ToldEpoch) => {
    if (!judge && told.epoch === told.shown) return
    judge ??= import('./split-room.js').then(({ reportSplitRoom }) => reportSplitRoom(pace, store, firstLoad))
    // A deploy may have removed the chunk.
    judge.then((take) => take(told)).catch(() => {})
  }
  return (from, id) => {
    const now = clock.now()
    const epoch = parseEventId(id)?.epoch
    const shown = parseEventId(store.view.id)?.epoch ?? (from === 'post' ? undefined : epoch)
    if (!epoch) return
    if (!shown) return void (early = epoch)
    tell({ from, epoch, shown, now })
    if (early) tell({ from: 'post', epoch: early, shown: epoch, now })
    early = undefined
  }
}
