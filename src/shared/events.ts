import type { Broadcasts } from './broadcast-types.js'
import type { ConnectionLock } from './lock-types.js'
import type { RoomTypes } from './room-types.js'

/* The events of a stream. Every type is a `type`: tRPC's inference mangles interfaces that are nested in tuples. */

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
  /** The version at which it was last used: it entered, moved, became active, or said `used`. Absent: equal to `at`. */
  activeAt?: number
  /** The places that it has locked, in the order in which it took them. Absent: none. */
  locks?: ConnectionLock<T>[]
} & PresenceFields<
  T,
  {
    /** The presence value. Absent: `{}`. */
    presence?: T['presence']
  }
>

/** Fields that exist only for a router with a presence schema. */
type PresenceFields<T extends RoomTypes, Fields> = [T['presence']] extends [never] ? unknown : Fields

/**
 * The changed fields of one connection. An absent field is unchanged, except that an entry with a location or with
 * `activity: 'active'` and without `activeAt` was used at `at`.
 */
export type Changed<T extends RoomTypes = RoomTypes> = {
  connectionId: string
  at: number
  location?: T['location'] | null
  profile?: T['profile'] | null
  activity?: Activity
  activeAt?: number
  /** All places that it has locked now; `[]` when it has none any more. */
  locks?: ConnectionLock<T>[]
} & PresenceFields<T, PresenceChange<T['presence']>>

/** The change of a presence value, by top-level key. */
export type PresenceChange<Presence = unknown> = {
  /** The changed keys; with `presenceReset`, the whole value. */
  presence?: Presence extends object ? Partial<Presence> : Presence
  /** The removed keys. */
  presenceCleared?: string[]
  /** `presence` replaces the value of the connection instead of changing it. */
  presenceReset?: true
}

/** Why a connection left its room. `lost`: its lease expired. */
export type LeftReason = 'left' | 'lost' | 'revoked'

/** The tombstone of a connection. `at` is the version of the room at which it left. */
export type Left = { connectionId: string; at: number; reason: LeftReason }

/** Why the server ends a stream. After every reason but `revoked` the client reconnects. */
export type ByeReason = 'draining' | 'expired' | 'revoked' | 'slow' | 'rotated' | 'replaced'

/** The first event of a stream. */
export type Hello = {
  type: 'hello'
  protocol: 1
  /** The connection that this stream belongs to; `null` for a stream that only watches. */
  connectionId: string | null
  /** The heartbeat interval. After two and a half intervals of silence the client reconnects. */
  beatMs: number
  /** The default lease: how long a connection stays present without a post. */
  leaseMs: number
  /** The shortest interval between two posts that the server asks clients to keep. */
  postMs: number
  /** The shortest interval between two posts that change only the presence value. Absent: 100. */
  presenceMs?: number
  /** The features that the server understands beyond the first version. A client sends only what is listed. Absent: nothing more. */
  features?: string[]
  /** Present when places can be locked: how long a lock outlasts a post, and how long an idle client keeps its locks. */
  locks?: { lockMs: number; idleMs: number }
}
/** The features of a server, as hello and each answer of `getLocations` list them. */
export type FeatureInfo = Pick<Hello, 'features' | 'presenceMs' | 'locks'>
/** Every connection of the room. */
export type Snapshot<T extends RoomTypes = RoomTypes> = { type: 'snapshot'; connections: Connection<T>[] }
/** The difference between two versions of the room. */
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
/** The last event of a stream. */
export type Bye = { type: 'bye'; reason: ByeReason }

/** Any event of a stream. `type` tells them apart. */
export type LocationEvent<T extends RoomTypes = RoomTypes> =
  Hello | Snapshot<T> | Changes<T> | Beat | Degraded | Bye | Broadcasts<T>

/** One tracked event as a tRPC client receives it. */
export type Tracked<T> = { id: string; data: T }
