import type { BroadcastName, BroadcastsOf } from '../../shared/broadcast-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'

/** The options of `room.broadcast`. */
export type BroadcastOptions = {
  /** The id of the member who alone receives it, in all of their windows. Default: everybody who sees the room now. */
  to?: string
}

/** The part of a room that hears broadcasts. */
export interface BroadcastListening<T extends RoomTypes> {
  /**
   * Calls `run` for each broadcast of this name that another connection or the server sends. Returns a function that
   * removes the listener. A broadcast that is sent while we are not live is not received. Exceptions and rejections go
   * to `logger`.
   */
  onBroadcast<K extends BroadcastName<T>>(name: K, run: (event: BroadcastEvent<T, K>) => unknown): () => void
}

/** The part of a room that sends and hears broadcasts. It exists when the hub has `broadcasts`. */
export interface RoomBroadcasts<T extends RoomTypes> extends BroadcastListening<T> {
  /**
   * Sends a message to everybody who sees the room now. The server does not keep it: members who come later do not get
   * it, and a slow reader may lose it.
   *
   * Resolves to `true` when the server took it, and to `false` when it was not sent or may be lost: while we are not
   * live, or when the server refuses it because there are too many. Then an `error` event says why.
   *
   * Rejects with a LocationError `bad-input` or `too-large` when the name or the payload is wrong.
   */
  broadcast<K extends BroadcastName<T>>(
    name: K,
    payload: BroadcastsOf<T>[K],
    options?: BroadcastOptions,
  ): Promise<boolean>
}
