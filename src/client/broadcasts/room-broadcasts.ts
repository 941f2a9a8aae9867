import type { BroadcastItem, Broadcasts, BroadcastToRoomOutput } from '../../shared/broadcast-types.js'
import type { LocationError } from '../../shared/errors.js'
import type { Hello } from '../../shared/events.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { ServerConnection } from '../connection/connection.js'
import type { Transport } from '../connection/transport.js'
import type { FirstLoad } from '../first-load.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'
import type { Store } from '../store/store.js'
import type { BroadcastOptions } from './broadcast-api.js'

/** The parts of a room that its broadcasts use. */
export type BroadcastingRoom<T extends RoomTypes> = {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: { timing: Pick<Hello, 'features'>; deadlineMs(): number }
  /** Our own presence, whose connection key each broadcast names. */
  presence: { readonly key: string | undefined }
}

export type SendBroadcast = (name: string, payload: unknown, options?: BroadcastOptions) => Promise<boolean>

/** The most received broadcasts that are remembered, to ignore duplicates: as many as the server keeps of a room. */
const ringSize = 256

/**
 * Calls the listeners of each broadcast that arrives, unless it is our own or a duplicate. Returns the function that
 * sends.
 */
export function openBroadcasts<T extends RoomTypes>(
  { room, transport, store, pace, presence }: BroadcastingRoom<T>,
  connection: ServerConnection,
  { failureOf }: FirstLoad,
): SendBroadcast {
  const isNew = noteNewItems()
  let sent = 0

  const failed = (error: LocationError) => {
    store.emit('error', { error })
    return false
  }
  /** Returns the reason why no broadcast can be sent now; `null` when one can. */
  const obstacle = (): LocationError | null => {
    const { state } = connection.link
    // `failureOf` gives an error without a status the code `network`.
    if (state !== 'live') return failureOf({ message: `Not sent: the connection is ${state}.` }).error
    if (pace.timing.features?.includes('broadcasts')) return null
    return failureOf({ message: 'unavailable: Not sent: this server has no broadcasts.' }).error
  }
  store.on('broadcast', ({ items }: Broadcasts<T>) => {
    const { connectionId } = store.own({})
    for (const item of items)
      if ((item.connectionId === null || item.connectionId !== connectionId) && isNew(item))
        store.emit(`broadcast ${item.name}`, eventOf<T>(item, store))
  })
  return async (name, payload, { to } = {}) => {
    const nonce = `${(sent += 1)}`
    const input = { room, connectionKey: presence.key, name, payload, to, nonce }
    const error = obstacle()
    if (error) return failed(error)
    try {
      const reply = await transport.call('mutation', 'broadcastToRoom', input, pace.deadlineMs())
      if ((reply as BroadcastToRoomOutput).outcome === 'sent') return true
      return failed(failureOf({ message: 'unavailable: Not sent: we are not in the room yet.' }).error)
    } catch (thrown) {
      const { error: refusal } = failureOf(thrown)
      if (refusal.code === 'bad-input' || refusal.code === 'too-large') throw refusal
      return failed(refusal)
    }
  }
}

/** Returns a function that returns true for a broadcast that is no duplicate of a recent one. */
function noteNewItems() {
  const recent = new Set<string>()
  return ({ connectionId, nonce }: BroadcastItem): boolean => {
    if (nonce === undefined) return true
    const id = `${connectionId} ${nonce}`
    if (recent.has(id)) return false
    recent.add(id)
    if (recent.size > ringSize) recent.delete(recent.values().next().value!)
    return true
  }
}

function eventOf<T extends RoomTypes>({ payload, memberId, at }: BroadcastItem, store: Store<T>): BroadcastEvent<T> {
  const { self } = store.snapshot
  const member = memberId === null ? null : memberId === self?.memberId ? self : store.other(memberId)
  return { payload, member, memberId, at: new Date(at / 1_000) } as BroadcastEvent<T>
}
