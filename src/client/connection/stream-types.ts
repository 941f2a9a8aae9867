import type { OnLocationInput } from '../../shared/call-types.js'
import type { LocationEvent } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { View } from '../../shared/view.js'
import type { Failure } from './failure.js'

export interface StreamListener<T extends RoomTypes> {
  /** The server answered with a stream; its hello is due. */
  opened(): void
  event(id: string, event: LocationEvent<T>): void
  /** Bytes of any kind arrived on the stream. */
  heard(): void
  /** Called once, when the stream has ended for any reason. */
  ended(failure: Failure): void
}

/**
 * Opens one `onLocation` subscription, which never reconnects by itself. Returns a function that closes it without
 * calling `ended`.
 */
export type OpenSubscription<T extends RoomTypes> = (input: OnLocationInput, listener: StreamListener<T>) => () => void

/** The state of this tab. Its connection key is sent only on a stream of its own, never to another tab. */
export type TabContext<T extends RoomTypes> = {
  connectionKey: string | undefined
  /**
   * Resolves to our member id; `null` when the server has given none by the time that `patience` resolves: then the
   * stream is not shared.
   */
  whoAmI(patience: Promise<void>): Promise<string | null>
  beatMs: number
  /** The room's view: a leader sends it to a tab that asks. */
  view: View<T>
  /** This tab found that requests get no answer: the leader's stream may be dead. */
  doubted: boolean
}

/** Opens a stream that the tabs of a browser share. */
export type ShareStream<T extends RoomTypes> = (
  input: OnLocationInput,
  listener: StreamListener<T>,
  tab: TabContext<T>,
) => () => void
