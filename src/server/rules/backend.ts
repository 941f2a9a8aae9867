import type { Clock } from '../../shared/clock.js'
import type { PostOutcome } from '../../shared/call-types.js'
import type { Activity, Connection, Left } from '../../shared/events.js'
import type { ConnectionLock, LockLocationOutput, UnlockLocationOutput } from '../../shared/lock-types.js'
import type { PresenceValue } from '../../shared/presence.js'
import type { Logger } from '../options/logger.js'

/*
 * The port between a hub and the storage of its rooms. The port has only actions and commits, so a backend can be a map
 * in this process or a database that many processes share. test/contract holds every backend to the same behaviour.
 */

/** A value and its canonical JSON. Two values are equal when their JSON is equal. */
export type StoredValue = { readonly json: string; readonly value: unknown }

/** Adds a connection to the room, or updates it. A field that is `undefined` stays unchanged. */
export type PostAction = {
  type: 'post'
  connectionId: string
  /** The member who owns the connection, if the post creates it. */
  memberId: string
  /**
   * `true`: the post is refused when the connection belongs to another member. `false`: the key alone is sufficient.
   */
  owned: boolean
  /** The `seq` of the post. `undefined`: one more than the stored `seq`. */
  seq: number | undefined
  location: StoredValue
  profile: StoredValue | undefined
  activity: Activity | undefined
  /** The whole presence value of the connection: an object. */
  presence?: StoredValue | undefined
  /**
   * Marks the connection as used even if nothing else changed: from now on the member is shown with the location,
   * profile and presence value of this connection.
   */
  used?: true | undefined
  /**
   * The time between the last use of the connection and this post, in milliseconds. Only counts when the connection enters
   * the room.
   */
  activeAgoMs?: number | undefined
  leaseMs: number
}

/** Removes a connection from the room, after `graceMs` milliseconds without another post. */
export type LeaveAction = {
  type: 'leave'
  connectionId: string
  /** The leave is refused when the connection belongs to another member. `null`: the key alone is sufficient. */
  memberId: string | null
  seq: number | undefined
  graceMs: number
}

/** Shortens a lease to `leaseMs`, because the client closed its stream. */
export type ShortenAction = { type: 'shorten'; connectionId: string; leaseMs: number }

/** Removes every connection of a member from the room. */
export type RevokeAction = { type: 'revoke'; memberId: string }

/** Removes connections whose lease has expired, and old tombstones. */
export type SweepAction = { type: 'sweep' }

/** Takes a place for a present connection. `memberId: null`: the key alone is sufficient. */
export type LockAction = {
  type: 'lock'
  connectionId: string
  memberId: string | null
  location: StoredValue
  lockSeq: number
  /** A claim: the fence that the connection had on this place before the room lost its state. */
  claim?: number | undefined
  /** Takes the place from another connection of the same member, even if that connection is not leaving. */
  takeOver?: true | undefined
}

/** Ends the lock that a connection has on a place, if the lock has this fence. */
export type UnlockAction = {
  type: 'unlock'
  connectionId: string
  memberId: string | null
  location: StoredValue
  lockSeq: number
  fence: number
}

/** Ends the lock of a place, regardless of its holder. */
export type ReleaseAction = { type: 'release'; location: StoredValue }

/** Asks whether a member holds the lock of a place, and whether the lock has this fence. */
export type CheckLockAction = { type: 'checkLock'; location: StoredValue; memberId: string; fence: number }

/** An action on a room. `type` tells the actions apart. */
export type Action =
  | PostAction
  | LeaveAction
  | ShortenAction
  | RevokeAction
  | SweepAction
  | LockAction
  | UnlockAction
  | ReleaseAction
  | CheckLockAction

/**
 * The result of an action.
 *
 * - `posted`: `seq` is the stored `seq`. `version` is the version of the commit that shows the post; 0 unless the post
 *   was applied.
 * - `owned`: refused, because the connection belongs to another member.
 * - `full`: refused, because the room, or the member in it, has the maximum of connections.
 * - `released`: `wasHeld` says whether somebody held the place.
 * - `lockChecked`: `isHeld` is `null` while the holder is unknown, because the room lost its state and claims are being
 *   collected.
 */
export type Outcome =
  | { type: 'posted'; outcome: PostOutcome; memberId: string; seq: number; version: number }
  | { type: 'left' | 'leaving' | 'owned' | 'done' }
  | { type: 'full'; of: 'room' | 'member' }
  | { type: 'lock'; reply: LockLocationOutput }
  | { type: 'unlock'; reply: UnlockLocationOutput }
  | { type: 'released'; wasHeld: boolean }
  | { type: 'lockChecked'; isHeld: boolean | null }

/** The changes that one batch of actions made to the room. `prev` is the version that the commit follows. */
export type Commit = {
  epoch: string
  prev: number
  version: number
  entered: Connection[]
  changed: ConnectionChange[]
  left: Left[]
}
/** The changed fields of one connection. An absent field is unchanged. */
export type ConnectionChange = {
  connectionId: string
  location?: unknown
  profile?: unknown
  activity?: Activity
  /** The whole presence value of the connection, even when it is empty. */
  presence?: PresenceValue
  /** Present when the connection was used in a way that its other changes do not imply: see `impliesUse`. */
  activeAt?: number
  /** All locks that the connection has now. */
  locks?: ConnectionLock[]
}

/**
 * A room as a backend returns it to a hub. A viewer whose version is below `floor` needs a snapshot instead of changes.
 */
export type RoomState = {
  epoch: string
  version: number
  floor: number
  connections: Connection[]
  left: Left[]
}

/** The configurable numbers in the rules of a room. */
export type RoomRules = {
  /** How long a tombstone is kept, in milliseconds. */
  tombstoneMs: number
  /** Maximum number of connections in the room. */
  roomConnections: number
  /** Maximum number of connections of one member in the room. */
  memberConnections: number
  /** How long a lock outlasts the last post of its holder, in milliseconds. */
  lockMs: number
  /** How long claims are collected after the room lost its state, in milliseconds. */
  claimMs: number
  /** Maximum number of locks of one connection. */
  connectionLocks: number
  /** Maximum number of locks in the room. */
  roomLocks: number
}

/** The options that a hub passes to a backend to open a room. */
export type RoomOptions = {
  clock: Clock
  rules: RoomRules
  /**
   * When the hub was created, by `clock.now()`. A room in memory that is opened soon after that may have lost its
   * state. Default: long ago.
   */
  startedAt?: number
  /**
   * The interval at which the hub calls `act` while the room has connections. A longer gap means that the process
   * stalled.
   */
  sweepMs: number
  /** Called with every commit of the room, from every process, in order. */
  onCommit: (commit: Commit) => void
  /** Called with the whole room after commits were missed or a new epoch began. The next commit follows this state. */
  onReset: (state: RoomState) => void
  /**
   * Called with every broadcast in the room, from every process, in the order in which they were published. A broadcast
   * that was published after a commit is delivered after that commit.
   */
  onBroadcast?: (text: string) => void
  /** Called when only this room becomes unreachable, and when it is reachable again. */
  onHealth?: (health: 'up' | 'down') => void
}

/** A room that a backend has opened for a hub. */
export interface BackendRoom {
  /** The room at the time it was opened. Commits follow this state. */
  readonly state: RoomState
  /**
   * Carries out a batch of actions, in order, as at most one commit. Resolves with one outcome for each action, after
   * `onCommit` or `onReset` was called. Rejects when the backend is unreachable; then the actions may or may not have
   * been carried out.
   */
  act(actions: Action[]): Promise<Outcome[]>
  /**
   * Passes a text on to `onBroadcast` of every process that has the room open, this one included. It is not stored: a
   * process that cannot be reached now never gets it. Rejects when the backend is unreachable.
   */
  broadcast(text: string): Promise<void>
  /**
   * Resolves when every commit that existed at the time of the call was delivered. Rejects when the backend is
   * unreachable.
   */
  refresh(): Promise<void>
  /** Stops the delivery of commits and releases what the room holds. The room itself is unchanged. */
  close(): Promise<void>
}

/**
 * `down`: no room can be used, or this process cannot follow the changes of rooms. `partial`: some rooms cannot be
 * used, and other processes cannot use them either. `up`: all rooms can be used.
 */
export type BackendHealth = 'up' | 'partial' | 'down'

/** The storage of rooms: memory for one process, a shared database for many. */
export interface Backend {
  /** Opens a room: returns its current state and delivers every later commit in order. */
  open(room: string, options: RoomOptions): Promise<BackendRoom>
  /**
   * Checks once, before a server listens, that the backend meets the requirements. Also resolves when the backend is
   * unreachable.
   *
   * @throws LocationError `misconfigured`
   */
  ready(logger: Logger): Promise<void>
  /** Removes a member's connections from one room or from all, and notifies every process. */
  revoke(memberId: string, room?: string): Promise<void>
  /** Registers a listener for every revocation of every process. Returns a function that removes it. */
  onRevoke(listener: (memberId: string, room?: string) => void): () => void
  /**
   * Registers a listener that is called with each change of health, and with the error that revealed the change.
   * Returns a function that removes it.
   */
  onHealth(listener: (health: BackendHealth, error?: Error) => void): () => void
  /** Closes what the backend has opened. It does not close a database client that was passed to it. */
  close(): Promise<void>
}
