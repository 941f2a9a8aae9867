import type { Hello } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { RetryContext } from '../connection/connection-state.js'
import type { ServerConnection } from '../connection/connection.js'
import type { Transport } from '../connection/transport.js'
import type { FirstLoad } from '../first-load.js'
import type { Store } from '../store/store.js'

/** The parts of a room that its locks use. */
export interface LockingRoomParts<T extends RoomTypes> {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: { timing: Pick<Hello, 'beatMs' | 'features' | 'locks'>; context(): RetryContext; deadlineMs(): number }
  /** Our own presence: its key, when the newest accepted post was sent, and ways to post. */
  presence: {
    readonly key: string | undefined
    readonly acceptedAt: number
    flush(): Promise<void>
    postAgain(): void
    hasten(): void
  }
}

/** A room as its locks see it, and the code of the first load that they use. */
export interface LockingRoom<T extends RoomTypes> extends LockingRoomParts<T>, FirstLoad {
  connection: Pick<ServerConnection, 'endWait'>
  /** True when we left the room; false when the server refused us, after which we may return. */
  hasLeft(): boolean
  /** The locks of our connection, as the room shows them. */
  own(): readonly { readonly location: T['location']; readonly fence: number }[] | undefined
}

/** Returns a room as its locks see it. */
export const lockingRoom = <T extends RoomTypes>(
  parts: LockingRoomParts<T>,
  connection: Pick<ServerConnection, 'endWait'>,
  firstLoad: FirstLoad,
): LockingRoom<T> => ({
  ...parts,
  ...firstLoad,
  connection,
  hasLeft() {
    const { status } = parts.store.snapshot
    return status.state === 'closed' && !status.error
  },
  own() {
    const { connectionId } = parts.store.own({})
    return connectionId === null ? undefined : parts.store.view.connections.get(connectionId)?.locks
  },
})
