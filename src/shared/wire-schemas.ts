import * as z from 'zod'
import { broadcastEvent } from './broadcast-schemas.js'
import { roomId, secretKey } from './id-schemas.js'
import type { OptionalSchema, Schema } from './schema-types.js'

/** The app's schemas of the values that a room carries. */
export type RoomSchemas<SL extends Schema, SP extends Schema> = {
  location: SL
  profile: SP
  /** The schema of a presence value. Absent or `false`: the app has no presence values. */
  presence?: OptionalSchema
}

const activity = z.enum(['active', 'idle', 'away'])
const seq = z.int().min(0)
const lastEventId = z.string().nullish()

/**
 * Builds the input schemas of all procedures except `broadcastToRoom` from the app's schemas. Unknown fields are
 * refused; inside the app's values, the app's schemas decide.
 */
export function procedureInputs<SL extends Schema, SP extends Schema>({
  location,
  profile,
  presence = false,
}: RoomSchemas<SL, SP>) {
  return {
    postLocation: z.strictObject({
      room: roomId,
      location: z.nullable(location),
      connectionKey: secretKey.optional(),
      seq: seq.optional(),
      profile: z.optional(z.nullable(profile)),
      activity: activity.optional(),
      ...(presence && { presence: z.optional(presence) }),
      used: z.literal(true).optional(),
      activeAgoMs: z.number().min(0).max(86_400_000).optional(),
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
    lockLocation: z.strictObject({
      room: roomId,
      connectionKey: secretKey,
      location,
      lockSeq: seq,
      claim: seq.optional(),
      takeOver: z.literal(true).optional(),
      lastEventId,
    }),
    unlockLocation: z.strictObject({
      room: roomId,
      connectionKey: secretKey,
      location,
      lockSeq: seq,
      fence: seq,
      lastEventId,
    }),
  }
}

/**
 * Builds the output schemas of all procedures except `broadcastToRoom`. The server does not parse with these schemas:
 * docs/contract is generated from them.
 */
export function procedureOutputs<SL extends Schema, SP extends Schema>(schemas: RoomSchemas<SL, SP>) {
  const id = z.string()
  return {
    postLocation: z.object({
      outcome: z.enum(['applied', 'same', 'stale', 'expired', 'left']),
      connectionId,
      memberId: z.string(),
      seq,
      id: id.optional(),
      postMs: z.number().min(0).optional(),
      connectionKey: secretKey.optional(),
    }),
    onLocation: locationEvent(schemas),
    getLocations: z.object({ id, event: locationEvent(schemas), ...featureInfo }),
    leaveRoom: z.object({ outcome: z.enum(['left', 'leaving']) }),
    countMembers: z.array(z.object({ room: roomId, members: z.int().min(0) })),
    lockLocation: z.discriminatedUnion('outcome', [
      z.object({ outcome: z.literal('locked'), fence: at }),
      z.object({ outcome: z.literal('taken'), holder: z.nullable(lockHolder), retryAfterMs: z.number().optional() }),
      z.object({ outcome: z.enum(['absent', 'full', 'stale']) }),
    ]),
    unlockLocation: z.discriminatedUnion('outcome', [
      z.object({ outcome: z.literal('gone'), holder: lockHolder.optional() }),
      z.object({ outcome: z.enum(['unlocked', 'stale']) }),
    ]),
  }
}

const featureInfo = {
  features: z.array(z.string()).optional(),
  presenceMs: z.number().min(0).optional(),
  locks: z.object({ lockMs: z.number().positive(), idleMs: z.number().positive() }).optional(),
}
const at = z.int().min(1)
const connectionId = z.string()
const lockHolder = z.object({ memberId: z.string(), connectionId })

/** Builds the schema of every event that a stream of this app can carry, for contract tests. */
export function locationEvent<SL extends Schema, SP extends Schema>({
  location,
  profile,
  presence = false,
}: RoomSchemas<SL, SP>) {
  const locks = z.array(z.object({ location, fence: at })).optional()
  const connection = z.object({
    connectionId,
    memberId: z.string(),
    profile: z.nullable(profile),
    location: z.nullable(location),
    activity,
    ...(presence && { presence: z.optional(presence) }),
    at,
    activeAt: at.optional(),
    locks,
  })
  const changed = z.object({
    connectionId,
    at,
    location: z.optional(z.nullable(location)),
    profile: z.optional(z.nullable(profile)),
    activity: activity.optional(),
    activeAt: at.optional(),
    locks,
    ...(presence && {
      presence: z.record(z.string(), z.unknown()).optional(),
      presenceCleared: z.array(z.string()).optional(),
      presenceReset: z.literal(true).optional(),
    }),
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
      ...featureInfo,
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
    broadcastEvent,
  ])
}
