import type { Clock } from '../../shared/clock.js'
import type { PostOutcome } from '../../shared/call-types.js'
import type { Activity, Connection, Left } from '../../shared/events.js'
import type { Logger } from '../options/logger.js'

/*
 * The port between a hub and what carries its rooms. It speaks of actions and commits only, so that a backend may be a
 * map in this process or a database that many processes share; test/contract holds every backend to the same behaviour.
 */

/** A value beside its canonical JSON, which is what equality goes by. */
export type StoredValue = { readonly json: string; readonly value: unknown }

/** "I am here now." What is `undefined` stays as it was. */
export type PostAction = {
  type: 'post'
  connectionId: string
  /** Whose connection this is, if it is new. */
  memberId: string
  /** Refuses a connection that is known and another member's. `false`: whoever holds the key speaks. */
  owned: boolean
  /** `undefined`: the next one. */
  seq: number | undefined
  location: StoredValue
  profile: StoredValue | undefined
  activity: Activity | undefined
  leaseMs: number
}

export type LeaveAction = {
  type: 'leave'
  connectionId: string
  /** Refuses another member's connection; `null`: whoever holds the key speaks. */
  memberId: string | null
  seq: number | undefined
  graceMs: number
}

/** The peer closed its stream: `leaseMs` is all that remains of the lease. */
export type ShortenAction = { type: 'shorten'; connectionId: string; leaseMs: number }

/** Ends every connection of a member in the room. */
export type RevokeAction = { type: 'revoke'; memberId: string }

/** Lets go of lapsed leases and old tombstones. */
export type SweepAction = { type: 'sweep' }

export type Action = PostAction | LeaveAction | ShortenAction | RevokeAction | SweepAction

/**
 * What an action came to. `posted` carries the seq that is stored now, and the version of the commit that shows an
 * applied post. `owned`: the connection is another member's. `full`: the room, or the member in it, has all it may have.
 */
export type Outcome =
  | { type: 'posted'; outcome: PostOutcome; memberId: string; seq: number; version: number }
  | { type: 'left' | 'leaving' | 'owned' | 'done' }
  | { type: 'full'; of: 'room' | 'member' }

/** What one batch of actions changed, for every viewer. `prev` is the version it follows. */
export type Commit = {
  epoch: string
  prev: number
  version: number
  entered: Connection<unknown, unknown>[]
  changed: ConnectionChange[]
  left: Left[]
}
export type ConnectionChange = {
  connectionId: string
  location?: unknown
  profile?: unknown
  activity?: Activity
}

/** A room as a backend gives it to a hub. A viewer at a version below `floor` cannot be caught up with changes. */
export type RoomState = {
  epoch: string
  version: number
  floor: number
  connections: Connection<unknown, unknown>[]
  left: Left[]
}

/** What the rules of a room leave open. */
export type RoomRules = {
  /** How long a tombstone stays, in milliseconds. */
  tombstoneMs: number
  /** Connections in the room, and of one member in it. */
  roomConnections: number
  memberConnections: number
}

export type RoomOptions = {
  clock: Clock
  rules: RoomRules
  /** While anyone is in the room, `act` is called at least this often. A longer silence was a stall of this process. */
  sweepMs: number
  /** Hears every commit, in order, whoever caused it. */
  onCommit: (commit: Commit) => void
  /** Commits were missed, or the room began anew: it was read again, and this is it. The next commit follows on from there. */
  onReset: (state: RoomState) => void
  /** Hears when this room goes out of reach, and when it is back, if that can happen to one room alone. */
  onHealth?: (health: 'up' | 'down') => void
}

export interface BackendRoom {
  /** The room when it was opened; commits follow on from it. */
  readonly state: RoomState
  /**
   * Carries out a batch, in order, as at most one commit, which `onCommit` or `onReset` has shown when this resolves. One
   * outcome for each action. Rejects when the backend cannot be reached: then nothing may be assumed.
   */
  act(actions: Action[]): Promise<Outcome[]>
  /** Resolves when all has been heard that the room had when this was called. Rejects as `act` does. */
  refresh(): Promise<void>
  close(): Promise<void>
}

/** What carries rooms: memory for one process, a shared store for many. */
export interface Backend {
  /** The room's state now, then every commit in order. */
  open(room: string, options: RoomOptions): Promise<BackendRoom>
  /**
   * Whether it can do its work, asked once, before a server listens. Being out of reach is no reason to reject.
   *
   * @throws LocationError `misconfigured`
   */
  ready(logger: Logger): Promise<void>
  /** Ends a member's connections, in one room or in all, and tells every process. */
  revoke(memberId: string, room?: string): Promise<void>
  /** Hears of every revocation, wherever it was asked for. */
  onRevoke(listener: (memberId: string, room?: string) => void): () => void
  /** Hears when all rooms go out of reach, and when some are back. */
  onHealth(listener: (health: 'up' | 'down') => void): () => void
  close(): Promise<void>
}
