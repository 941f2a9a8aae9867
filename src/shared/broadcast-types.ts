import type { RoomTypes } from './room-types.js'

/* Broadcasts: typed messages that are not part of the state of a room. Every type is a `type`: see events.ts. */

/** The payloads of an app without broadcasts: there are no names. */
type NoBroadcasts = { [name in never]: never }

/** The payloads of an app's broadcasts, by name; `unknown` and `never` have no names. */
export type BroadcastsOf<T extends RoomTypes> = [T['broadcasts']] extends [never]
  ? NoBroadcasts
  : [T['broadcasts']] extends [object]
    ? T['broadcasts']
    : NoBroadcasts

/** The names of an app's broadcasts. */
export type BroadcastName<T extends RoomTypes> = keyof BroadcastsOf<T> & string

/** `Yes` for an app with broadcasts, otherwise `No`. */
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
  /** The connection that sent it; `null` when the server did. */
  connectionId: string | null
  /** The member who sent it; `null` when the server sent it on behalf of nobody. */
  memberId: string | null
  /** When the server accepted it, in microseconds of the server's clock. */
  at: number
  /** The version of the room that the sender's server showed: the stream has shown it, or waited for it in vain. */
  after: number
  /** Chosen by the sender: an item with the same connection and the same nonce is a duplicate. */
  nonce?: string
}

/** Broadcasts, oldest first. They change nothing in the view, and are never repeated. */
export type Broadcasts<T extends RoomTypes = RoomTypes> = { type: 'broadcast'; items: BroadcastItem<T>[] }

/** The input of `broadcastToRoom`: sends a message to everybody who reads the room now. */
export type BroadcastToRoomInput<T extends RoomTypes = RoomTypes> = {
  [K in BroadcastName<T>]: {
    room: string
    /** The connection that sends. It must be present in the room. Default: the member's one default connection. */
    connectionKey?: string | undefined
    name: K
    payload: BroadcastsOf<T>[K]
    /** The member who alone receives it. Default: everybody. */
    to?: string | undefined
    /** 1 to 32 characters of base64url, unique for the connection. Receivers drop a second item that has it. */
    nonce?: string | undefined
    lastEventId?: string | undefined
  }
}[BroadcastName<T>]

/**
 * The output of `broadcastToRoom`.
 *
 * - `sent`: the room's streams that are open now receive it, as far as they keep up.
 * - `absent`: not sent, because the sender's connection is not present in the room.
 */
export type BroadcastToRoomOutput = { outcome: 'sent' | 'absent' }
