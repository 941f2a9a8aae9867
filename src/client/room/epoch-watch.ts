import { LocationError } from '../../shared/errors.js'
import { parseEventId } from '../../shared/event-id.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Transport } from '../connection/transport.js'
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
  type Judge = (told: ToldEpoch) => void
  let judge: Promise<Judge> | undefined
  const load = async (): Promise<Judge> => {
    const { detectSplitRoom, splitRoomMessage } = await import('./split-room.js')
    const isSplit = detectSplitRoom(() => pace.timing.beatMs)
    let reported = false
    return (told) => {
      if (reported || !isSplit(told)) return
      reported = true
      store.fail(new LocationError('misconfigured', splitRoomMessage))
    }
  }
  /** The epoch of the newest reply that came before the room was there. */
  let early: string | undefined
  const tell = (told: ToldEpoch) => {
    if (!judge && told.epoch === told.shown) return
    judge ??= load()
    void judged(judge, told)
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

async function judged(judge: Promise<(told: ToldEpoch) => void>, told: ToldEpoch): Promise<void> {
  try {
    const take = await judge
    take(told)
  } catch {
    // The chunk could not be loaded.
  }
}
