import { parseEventId } from '../../shared/event-id.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Transport } from '../connection/transport.js'
import { firstLoad } from '../first-load.js'
import type { Store } from '../store/store.js'
import type { Pace } from './post-pace.js'
import type { ToldEpoch } from './split-room.js'

/** Takes the ids of replies, heartbeats and snapshots. */
export type EpochWatch = (from: ToldEpoch['from'], id: string | undefined) => void

/**
 * Reports a room that several processes have in their own memory, once. The code that decides is loaded when two epochs
 * differ for the first time; a page that cannot load it is not told.
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
  /** The epoch of the newest reply that came before the room was there. */
  let early: string | undefined
  const tell = (told: ToldEpoch) => {
    if (!judge && told.epoch === told.shown) return
    judge ??= import('./split-room.js').then(({ reportSplitRoom }) => reportSplitRoom(pace, store, firstLoad))
    // The chunk may not be there.
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
