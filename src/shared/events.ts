import type { Broadcasts } from './broadcast-types.js'
import type { ConnectionLock } from './lock-types.js'
import type { RoomTypes } from './room-types.js'

/*
 * The events of a stream. Every type here is a `type` alias, because tRPC's inference mangles interfaces that are
 * nested in tuples.
 */

/** Whether a member is at the keyboard (`active`), still on the page (`idle`), or in another window (`away`). */
export type Activity = 'active' | 'idle' | 'away'

/**
 * One running client of a member: a browser tab, a script. `at` is the version of its last change, in microseconds of
 * the server's clock.
 */
export type Connection<T extends RoomTypes = RoomTypes> = {
  connectionId: string
  memberId: string
  profile: T['profile'] | null
  location: T['location'] | null
  activity: Activity
  at: number
  /**
   * The version at which the connection was last used: it entered, moved, became active, or posted `used`. Absent:
   * equal to `at`.
   */
  activeAt?: number
  /** The places that the connection has locked, in the order in which it locked them. Absent: none. */
  locks?: ConnectionLock<T>[]
} & PresenceFields<
  T,
  {
    /** The presence value of the connection. Absent: `{}`. */
    presence?: T['presence']
  }
>

/** Fields that exist only for a router with a presence schema. */
type PresenceFields<T extends RoomTypes, Fields> = [T['presence']] extends [never] ? unknown : Fields

/**
 * The changed fields of one connection. An absent field is unchanged, with one exception: in an entry without
 * `activeAt`, a location or `activity: 'active'` means that the connection was last used at `at`.
 */
export type Changed<T extends RoomTypes = RoomTypes> = {
  connectionId: string
  at: number
  location?: T['location'] | null
  profile?: T['profile'] | null
  activity?: Activity
  activeAt?: number
  /** All places that the connection has locked now; `[]` when it no longer has any. */
  locks?: ConnectionLock<T>[]
} & PresenceFields<T, PresenceChange<T['presence']>>

/** The change of a presence value, by top-level key. */
export type PresenceChange<Presence = unknown> = {
  /** The changed keys of the presence value, with their new values; with `presenceReset`, the whole presence value. */
  presence?: Presence extends object ? Partial<Presence> : Presence
  /** The removed keys of the presence value. */
  presenceCleared?: string[]
  /** `presence` replaces the presence value of the connection instead of patching it. */
  presenceReset?: true
}

/** The reason why a connection left its room. `lost`: its lease expired. */
export type LeftReason = 'left' | 'lost' | 'revoked'

/** The tombstone of a connection. `at` is the version of the room at which it left. */
export type Left = { connectionId: string; at: number; reason: LeftReason }

/** The reason why the server ends a stream. After every reason except `revoked` the client reconnects. */
export type ByeReason = 'draining' | 'expired' | 'revoked' | 'slow' | 'rotated' | 'replaced'

/** The first event of a stream. */
export type Hello = {
  type: 'hello'
  protocol: 1
  /** The connection that this stream belongs to; `null` for a stream that only watches. */
  connectionId: string | null
  /** The heartbeat interval, in milliseconds. After two and a half intervals of silence the client reconnects. */
  beatMs: number
  /** The default lease: how long a connection stays present without a post, in milliseconds. */
  leaseMs: number
  /** The shortest interval between two posts that the server asks clients to keep, in milliseconds. */
  postMs: number
  /** The shortest interval between two posts that change only the presence value, in milliseconds. Absent: 100. */
  presenceMs?: number
  /**
   * The features that the server supports beyond the first version of the protocol. A client only uses features that
   * are listed. Absent: none.
   */
  features?: string[]
  /**
   * Present when places can be locked. `lockMs`: how long a lock outlasts the last post of its holder. `idleMs`: how
   * long an idle client keeps its locks. Both in milliseconds.
   */
  locks?: { lockMs: number; idleMs: number }
}
/** The features of a server, as hello and each answer of `getLocations` list them. */
export type FeatureInfo = Pick<Hello, 'features' | 'presenceMs' | 'locks'>
/** The event with every connection of the room. */
export type Snapshot<T extends RoomTypes = RoomTypes> = { type: 'snapshot'; connections: Connection<T>[] }
/** The event with the difference between two versions of the room. */
export type Changes<T extends RoomTypes = RoomTypes> = {
  type: 'changes'
  /** The event id that these changes follow. */
  from: string
  entered?: Connection<T>[]
  changed?: Changed<T>[]
  left?: Left[]
}
/** The heartbeat: the number of connections and the digest that an up-to-date view has. */
export type Beat = { type: 'beat'; count: number; digest: string }
/** Sent instead of a heartbeat while the backend is unreachable: the view may be stale. */
export type Degraded = { type: 'degraded'; reason: 'backend' }
/** The last event of a stream, with the reason why the server ends the stream. */
export type Bye = { type: 'bye'; reason: ByeReason }

/** Any event of a stream. `type` tells them apart. */
export type LocationEvent<T extends RoomTypes = RoomTypes> =
  Hello | Snapshot<T> | Changes<T> | Beat | Degraded | Bye | Broadcasts<T>

/** One tracked event as a tRPC client receives it. */
export type Tracked<T> = { id: string; data: T }
