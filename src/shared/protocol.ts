import * as z from 'zod'
import type * as core from 'zod/v4/core'
import { roomId, secretKey } from './id-schemas.js'

/* The wire. Every type here is a `type`: tRPC's inference mangles interfaces that are nested in tuples. */

/** Whether somebody is at the keyboard (`active`), still there (`idle`), or looking elsewhere (`away`). */
export type Activity = 'active' | 'idle' | 'away'

/** One running client of a member: a tab, a script. `at` is the version that last changed it, in server microseconds. */
export type Connection<L, P> = {
  connectionId: string
  memberId: string
  profile: P | null
  location: L | null
  activity: Activity
  at: number
}

/** One entry per connection; what is absent did not change. */
export type Changed<L, P> = {
  connectionId: string
  at: number
  location?: L | null
  profile?: P | null
  activity?: Activity
}

/** Why a connection is no longer in its room; `lost`: its lease ran out. */
export type LeftReason = 'left' | 'lost' | 'revoked'
export type Left = { connectionId: string; at: number; reason: LeftReason }

/** Why the server ends a stream; all but `revoked` mean: come back. */
export type ByeReason = 'draining' | 'expired' | 'revoked' | 'slow' | 'rotated' | 'replaced'

export type Hello = {
  type: 'hello'
  protocol: 1
  /** The connection this stream belongs to; `null` when it only watches. */
  connectionId: string | null
  /** How often a beat comes; silence of two and a half means: reconnect. */
  beatMs: number
  /** How long a connection stays present without posting. */
  leaseMs: number
  /** The shortest time between two posts that the server likes to see. */
  postMs: number
}
export type Snapshot<L, P> = { type: 'snapshot'; connections: Connection<L, P>[] }
export type Changes<L, P> = {
  type: 'changes'
  /** The id these changes start at. */
  from: string
  entered?: Connection<L, P>[]
  changed?: Changed<L, P>[]
  left?: Left[]
}
/** "You should hold exactly this." */
export type Beat = { type: 'beat'; count: number; digest: string }
export type Degraded = { type: 'degraded'; reason: 'backend' }
export type Bye = { type: 'bye'; reason: ByeReason }

export type LocationEvent<L, P> = Hello | Snapshot<L, P> | Changes<L, P> | Beat | Degraded | Bye

export type PostLocationInput<L, P> = {
  room: string
  /** `null`: in the room, nowhere in particular. */
  location: L | null
  /** Left out: the member's one default connection; an anonymous caller is given a key in the reply. */
  connectionKey?: string | undefined
  /** Orders the posts of one connection; left out: the next one. */
  seq?: number | undefined
  /** Left out: as before. */
  profile?: P | undefined
  /** Left out: as before, `active` at first. */
  activity?: Activity | undefined
  /** Who an anonymous member is, over several connections. */
  memberKey?: string | undefined
  /** How long the connection stays present without another post. Default 30,000; 5,000 to 300,000. */
  leaseMs?: number | undefined
  lastEventId?: string | undefined
}

/**
 * - `applied`: the room shows it.
 * - `same`: the room showed just this; the lease is renewed.
 * - `stale`: a newer post of this connection was there first.
 * - `expired`: the lease had run out; post again with `seq + 1`.
 * - `left`: this connection has left, and for a minute nothing brings it back; make a new key.
 */
export type PostOutcome = 'applied' | 'same' | 'stale' | 'expired' | 'left'

export type PostLocationOutput = {
  outcome: PostOutcome
  connectionId: string
  memberId: string
  /** The newest seq that the room has of this connection. */
  seq: number
  /** With `applied`, to those who may read: the first frame that shows it. */
  id?: string
  /** Only when the server made it: keep it for the next post. */
  connectionKey?: string
}

export type OnLocationInput = {
  room: string
  connectionKey?: string | undefined
  lastEventId?: string | null | undefined
}
export type GetLocationsInput = { room: string; lastEventId?: string | null | undefined }
export type GetLocationsOutput<L, P> = { id: string; event: LocationEvent<L, P> }
export type LeaveRoomInput = {
  room: string
  /** Left out: the member's one default connection. */
  connectionKey?: string | undefined
  /** The newest seq this connection posted: a newer post undoes a leave that gives grace. */
  seq?: number | undefined
  /** How long to wait for another post before the connection has left. Default 0, at most 5,000. */
  graceMs?: number | undefined
  lastEventId?: string | undefined
}
export type LeaveRoomOutput = { outcome: 'left' | 'leaving' }
export type CountMembersInput = { rooms: string[] }
export type CountMembersOutput = { room: string; members: number }[]

/** What a tRPC client gets for one tracked event. */
export type Tracked<T> = { id: string; data: T }

/** A zod 4 schema, classic or mini, whose input and output are the same plain JSON. */
export type Schema = core.$ZodType
export type Out<S extends Schema> = core.output<S>
/** `S` itself when what goes in is what comes out, a readable error otherwise. */
export type Unchanged<S extends Schema> = [core.input<S>] extends [core.output<S>]
  ? [core.output<S>] extends [core.input<S>]
    ? S
    : S & { error: 'a location or profile schema must not transform: use .optional() instead of .default()' }
  : S & { error: 'a location or profile schema must not transform: use .optional() instead of .default()' }

const activity = z.enum(['active', 'idle', 'away'])
const seq = z.int().min(0)
const lastEventId = z.string().nullish()

/** The inputs of the five procedures, built from the app's own schemas. The envelope is strict; inside, they decide. */
export function procedureInputs<SL extends Schema, SP extends Schema>(location: SL, profile: SP) {
  return {
    postLocation: z.strictObject({
      room: roomId,
      location: z.nullable(location),
      connectionKey: secretKey.optional(),
      seq: seq.optional(),
      profile: z.optional(profile),
      activity: activity.optional(),
      memberKey: secretKey.optional(),
      leaseMs: z.int().min(1).optional(),
      lastEventId,
    }),
    onLocation: z.strictObject({ room: roomId, connectionKey: secretKey.optional(), lastEventId }),
    getLocations: z.strictObject({ room: roomId, lastEventId }),
    leaveRoom: z.strictObject({
      room: roomId,
      connectionKey: secretKey.optional(),
      seq: seq.optional(),
      graceMs: z.number().min(0).optional(),
      lastEventId,
    }),
    countMembers: z.strictObject({ rooms: z.array(roomId).max(100) }),
  }
}

/** What the five procedures answer. Nothing is parsed by these: they are what docs/contract is written from. */
export function procedureOutputs<SL extends Schema, SP extends Schema>(location: SL, profile: SP) {
  const id = z.string()
  return {
    postLocation: z.object({
      outcome: z.enum(['applied', 'same', 'stale', 'expired', 'left']),
      connectionId,
      memberId: z.string(),
      seq,
      id: id.optional(),
      connectionKey: secretKey.optional(),
    }),
    onLocation: locationEvent(location, profile),
    getLocations: z.object({ id, event: locationEvent(location, profile) }),
    leaveRoom: z.object({ outcome: z.enum(['left', 'leaving']) }),
    countMembers: z.array(z.object({ room: roomId, members: z.int().min(0) })),
  }
}

const at = z.int().min(1)
const connectionId = z.string()

/** The event union of one app, for contract tests: what it refuses is not of this protocol. */
export function locationEvent<SL extends Schema, SP extends Schema>(location: SL, profile: SP) {
  const connection = z.object({
    connectionId,
    memberId: z.string(),
    profile: z.nullable(profile),
    location: z.nullable(location),
    activity,
    at,
  })
  const changed = z.object({
    connectionId,
    at,
    location: z.optional(z.nullable(location)),
    profile: z.optional(z.nullable(profile)),
    activity: activity.optional(),
  })
  const left = z.object({ connectionId, at, reason: z.enum(['left', 'lost', 'revoked']) })
  return z.discriminatedUnion('type', [
    z.object({
      type: z.literal('hello'),
      protocol: z.literal(1),
      connectionId: connectionId.nullable(),
      beatMs: z.number().positive(),
      leaseMs: z.number().positive(),
      postMs: z.number().min(0),
    }),
    z.object({ type: z.literal('snapshot'), connections: z.array(connection) }),
    z.object({
      type: z.literal('changes'),
      from: z.string(),
      entered: z.array(connection).optional(),
      changed: z.array(changed).optional(),
      left: z.array(left).optional(),
    }),
    z.object({ type: z.literal('beat'), count: z.int().min(0), digest: z.string().regex(/^[0-9a-f]{16}$/) }),
    z.object({ type: z.literal('degraded'), reason: z.literal('backend') }),
    z.object({
      type: z.literal('bye'),
      reason: z.enum(['draining', 'expired', 'revoked', 'slow', 'rotated', 'replaced']),
    }),
  ])
}
