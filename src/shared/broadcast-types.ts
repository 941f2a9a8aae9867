import type { RoomTypes } from './room-types.js'

/*
 * Broadcasts: typed messages that are not part of the state of a room. Every type here is a `type` alias and no
 * interface: events.ts says why.
 */

/** The payload types of an app without broadcasts, by name: there are no names. */
type NoBroadcasts = { [name in never]: never }

/**
 * The payload types of an app's broadcasts, by name. There are no names when the `broadcasts` of the room types are
 * `unknown` or `never`.
 */
export type BroadcastsOf<T extends RoomTypes> = [T['broadcasts']] extends [never]
  ? NoBroadcasts
  : [T['broadcasts']] extends [object]
    ? T['broadcasts']
    : NoBroadcasts

/** The names of an app's broadcasts. */
export type BroadcastName<T extends RoomTypes> = keyof BroadcastsOf<T> & string

/** Resolves to the type `Yes` for an app with broadcasts, otherwise to the type `No`. */
export type IfBroadcasts<T extends RoomTypes, Yes, No = unknown> = [T['broadcasts']] extends [never]
  ? No
  : [T['broadcasts']] extends [object]
    ? Yes
    : No

/** One broadcast as a stream carries it. */
export type BroadcastItem<T extends RoomTypes = RoomTypes> = BroadcastItemBase & IfBroadcasts<T, NamedPayload<T>>

type NamedPayload<T extends RoomTypes> = {
  [K in BroadcastName<T>]: { name: K; payload: BroadcastsOf<T>[K] }
}[BroadcastName<T>]

/** The fields of a broadcast of any app. */
export type BroadcastItemBase = {
  name: string
  payload?: unknown
  /** The connection that sent the broadcast; `null` when the server sent it. */
  connectionId: string | null
  /** The member who sent the broadcast; `null` when the server sent it on behalf of nobody. */
  memberId: string | null
  /** When the server accepted the broadcast, in microseconds of the server's clock. */
  at: number
  /**
   * The version of the room on the sender's server when the broadcast was sent. A stream carries the broadcast after
   * this version, or after a wait of 100 ms in which this version did not arrive.
   */
  after: number
  /** A value chosen by the sender. A second broadcast with the same connection and the same nonce is a duplicate. */
  nonce?: string
}

/**
 * The event that carries broadcasts, oldest first. Broadcasts do not change the view, and a reconnected stream does not
 * repeat them.
 */
export type Broadcasts<T extends RoomTypes = RoomTypes> = { type: 'broadcast'; items: BroadcastItem<T>[] }

/** The input of `broadcastToRoom`: sends a message to everybody who reads the room now. */
export type BroadcastToRoomInput<T extends RoomTypes = RoomTypes> = {
  [K in BroadcastName<T>]: {
    room: string
    /**
     * The key of the connection that sends, which must be present in the room. Default: the member's default
     * connection, which all calls without a key share.
     */
    connectionKey?: string | undefined
    name: K
    payload: BroadcastsOf<T>[K]
    /** The only member who receives the broadcast. Default: everybody. */
    to?: string | undefined
    /**
     * A nonce of 1 to 32 characters of base64url, unique for the connection. Receivers drop a second broadcast with the
     * same connection and nonce.
     */
    nonce?: string | undefined
    lastEventId?: string | undefined
  }
}[BroadcastName<T>]

/**
 * The output of `broadcastToRoom`.
 *
 * - `sent`: the broadcast goes to the room's open streams. A stream that falls too far behind misses it.
 * - `absent`: not sent, because the sender's connection is not present in the room.
 */
export type BroadcastToRoomOutput = { outcome: 'sent' | 'absent' }
