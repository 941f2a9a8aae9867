import type { BroadcastItem, Broadcasts, BroadcastToRoomInput } from '../../shared/broadcast-types.js'
import { LocationError } from '../../shared/errors.js'
import { copied } from '../../shared/frozen.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { ConnectionState } from '../connection/connection-state.js'
import { failureOf } from '../connection/failure.js'
import type { Transport } from '../connection/transport.js'
import type { BroadcastEvent } from '../store/broadcast-event.js'
import { sameJson } from '../store/same-json.js'
import type { Store } from '../store/store.js'
import type { BroadcastOptions } from './broadcast-api.js'
import type { Pace } from './post-pace.js'

export type BroadcastsOptions<T extends RoomTypes> = {
  room: string
  transport: Transport<T>
  store: Store<T>
  pace: Pace
  /** Our connection key; `undefined` when we only watch. */
  key(): string | undefined
  link(): ConnectionState
}

export type SendBroadcast = (name: string, payload: unknown, options?: BroadcastOptions) => Promise<boolean>

/** Received items are remembered up to this number, as many as a room of the server keeps. */
const ringSize = 256

/**
 * Dispatches the broadcasts of a room to its listeners, those first that came before this code was loaded. Returns the
 * function that sends one.
 */
export function openBroadcasts<T extends RoomTypes>(
  options: BroadcastsOptions<T>,
  early: readonly Broadcasts<T>[],
): SendBroadcast {
  const { room, transport, store, pace, key, link } = options
  const isNew = noteNewItems()
  let sent = 0

  const receive = ({ items }: Broadcasts<T>) => {
    const { connectionId } = store.own({})
    for (const item of items)
      if ((item.connectionId === null || item.connectionId !== connectionId) && isNew(item))
        store.emit(`broadcast ${item.name}`, eventOf<T>(item, store))
  }
  early.forEach(receive)
  store.on('broadcast', receive)

  const failed = (error: LocationError) => {
    store.emit('error', { error })
    return false
  }
  return async (name, payload, { to } = {}) => {
    // Throws for a payload that is not JSON.
    sameJson(payload, null)
    const nonce = `${(sent += 1)}`
    const input = copied({ room, connectionKey: key(), name, payload, to, nonce })
    const obstacle = obstacleOf(link(), pace.timing.features)
    if (obstacle) return failed(obstacle)
    try {
      const { outcome } = await transport.broadcast(input as unknown as BroadcastToRoomInput<T>, pace.deadlineMs())
      return outcome === 'sent' || failed(new LocationError('unavailable', 'Not sent: we are not in the room yet.'))
    } catch (thrown) {
      const { error } = failureOf(thrown)
      if (error.code === 'bad-input' || error.code === 'too-large') throw error
      return failed(error)
    }
  }
}

/** Returns why nothing can be sent now; `null` when something can. */
function obstacleOf({ state }: ConnectionState, features: string[] = []): LocationError | null {
  if (state !== 'live') return new LocationError('network', `Not sent: the connection is ${state}.`)
  if (features.includes('broadcasts')) return null
  return new LocationError('unavailable', 'Not sent: this server has no broadcasts.')
}

/** Returns a function that returns true for an item that is no duplicate of a recent one. */
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
