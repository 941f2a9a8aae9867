import { tracked } from '@trpc/server'
import type {
  inferProcedureBuilderResolverOptions,
  initTRPC,
  TRPCMutationProcedure,
  TRPCProcedureBuilder,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from '@trpc/server'
import { LocationError } from '../../shared/errors.js'
import { frozen } from '../../shared/frozen.js'
import type {
  CountMembersInput,
  CountMembersOutput,
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  LeaveRoomOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../shared/call-types.js'
import type { BroadcastToRoomInput, BroadcastToRoomOutput, IfBroadcasts } from '../../shared/broadcast-types.js'
import { broadcastInput } from '../../shared/broadcast-schemas.js'
import type { LocationEvent, Tracked } from '../../shared/events.js'
import type {
  LockLocationInput,
  LockLocationOutput,
  UnlockLocationInput,
  UnlockLocationOutput,
} from '../../shared/lock-types.js'
import type { RoomTypes } from '../../shared/room-types.js'
import type { Schema } from '../../shared/schema-types.js'
import { procedureInputs } from '../../shared/wire-schemas.js'
import { accessOptionChecks } from '../access/access-options.js'
import type { Access } from '../access/access-types.js'
import { Procedures, type BroadcastInput, type ClientIp } from './procedures.js'
import type { Frame } from '../rooms/frames.js'
import { Hub } from '../hub/hub.js'
import type { LocationHub } from '../hub/location-hub.js'
import { parseInputSync } from '../validation/parse-input.js'
import { assertOptions, hasMethods, isSyncFunction, type OptionChecks } from '../options/option-checks.js'
import { isSynchronous } from '../validation/plain-schema.js'
import { SubscriberIterable } from '../rooms/subscriber-iterable.js'
import type { ChargedAction } from '../access/rate-limits.js'
import { markFrameQuery } from './frame-answer.js'
import { noteRecord } from './lost-procedures.js'
import { chargingCalls, directPost, outcomeOf } from './charged-calls.js'
import { allowDirectPost } from './direct-post.js'
import { warnOfStockSockets } from './stock-sockets.js'
import { setCallerAccess } from './socket-calls.js'
import { toTRPCError, withTRPCErrors } from './trpc-errors.js'

// The app's builder may have any context, meta and inputs: we only add our inputs and resolvers to it.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyBuilder = TRPCProcedureBuilder<any, any, any, any, any, any, any, false>
type CtxOf<B extends AnyBuilder> = inferProcedureBuilderResolverOptions<B>['ctx']

/**
 * The procedures as a plain record: five, two more for a hub with locks, and `broadcastToRoom` for a hub with
 * broadcasts.
 */
export type LocationRecord<T extends RoomTypes> = PlainLocationRecord<T> & IfBroadcasts<T, BroadcastRecord<T>>

/** The procedure of a hub with broadcasts. */
export type BroadcastRecord<T extends RoomTypes> = {
  broadcastToRoom: TRPCMutationProcedure<{
    input: BroadcastToRoomInput<T>
    output: BroadcastToRoomOutput
    meta: unknown
  }>
}

/**
 * The five procedures of every hub, and the two of a hub with locks. A `type`, not an `interface`: tRPC requires an
 * index signature.
 */
export type PlainLocationRecord<T extends RoomTypes> = {
  postLocation: TRPCMutationProcedure<{ input: PostLocationInput<T>; output: PostLocationOutput; meta: unknown }>
  leaveRoom: TRPCMutationProcedure<{ input: LeaveRoomInput; output: LeaveRoomOutput; meta: unknown }>
  getLocations: TRPCQueryProcedure<{ input: GetLocationsInput; output: GetLocationsOutput<T>; meta: unknown }>
  countMembers: TRPCQueryProcedure<{ input: CountMembersInput; output: CountMembersOutput; meta: unknown }>
  onLocation: TRPCSubscriptionProcedure<{
    input: OnLocationInput
    output: AsyncIterable<Tracked<LocationEvent<T>>, void, unknown>
    meta: unknown
  }>
} & ([T['locks']] extends [true] ? LockRecord<T> : unknown)

/** The procedures of a hub with `locks`. */
type LockRecord<T extends RoomTypes> = {
  lockLocation: TRPCMutationProcedure<{ input: LockLocationInput<T>; output: LockLocationOutput; meta: unknown }>
  unlockLocation: TRPCMutationProcedure<{ input: UnlockLocationInput<T>; output: UnlockLocationOutput; meta: unknown }>
}

/** The options of `createLocationRouter`: the hub, your procedure, and who may do what. */
export type LocationRouterOptions<T extends RoomTypes, B extends AnyBuilder> = {
  hub: LocationHub<T>
  /** Your base procedure, with your context and middlewares. */
  procedure: B
  /**
   * Returns the address of the caller's own machine, from your context, for the limits per address. Behind a proxy,
   * return the address that your proxy vouches for, never one that the caller wrote. Default: there are no limits per
   * address.
   */
  clientIp?: ClientIp<CtxOf<B>>
} & Access<CtxOf<B>, NoInfer<T['profile']>>

/**
 * Creates the procedures on top of your own base procedure, to merge into your router:
 * `router({ locations: createLocationRouter({ hub, procedure, identify, authorize }) })`.
 *
 * @throws LocationError `misconfigured` without either `identify` and `authorize` or `anonymous: true`, and for an unknown or
 * wrong option; the message names it.
 */
export function createLocationRouter<T extends RoomTypes, B extends AnyBuilder>(
  options: LocationRouterOptions<T, B>,
): LocationRecord<T> {
  assertOptions('createLocationRouter', options, routerOptionChecks)
  const { hub, procedure }: Partial<typeof options> = options
  if (hub === undefined || procedure === undefined)
    throw new LocationError('misconfigured', 'createLocationRouter needs hub and procedure: pass both.')
  return locationRecord(options)
}

const routerOptionChecks: OptionChecks<LocationRouterOptions<RoomTypes, AnyBuilder>> = {
  hub: (value) => (value instanceof Hub ? null : 'the object that createLocationHub() returned'),
  procedure: hasMethods('a base procedure of tRPC, such as t.procedure', ['use', 'input', 'query', 'mutation']),
  clientIp: isSyncFunction,
  ...accessOptionChecks,
}

/** Creates the procedures from options that were checked. */
export function locationRecord<T extends RoomTypes, B extends AnyBuilder>(
  options: LocationRouterOptions<T, B>,
): LocationRecord<T> {
  const { hub } = options
  if (!(hub instanceof Hub)) throw new TypeError('createLocationHub() must return a Hub')
  // The resolvers below do not depend on the types of the app's builder. The types of the record are written out above.
  const procedure = options.procedure as unknown as PlainBuilder
  const calls = new Procedures(hub, options, options.clientIp)
  if (!options.clientIp) hub.logger.warn('clientIp is not set: per-address limits are disabled.')
  const inputs = procedureInputs(hub)
  const depth = hub.limits.depth + envelopeDepth
  const isImmediate = isSynchronousHub(hub)
  const onFirstPull = (signal: AbortSignal | undefined) => warnOfStockSockets(hub, signal)
  const pumped = { envelope, toError: toTRPCError, onFirstPull }
  const parsed =
    <S extends Schema, T>(schema: S) =>
    (raw: unknown): Promise<T> =>
      withTRPCErrors(
        async () =>
          (isImmediate ? parseInputSync(schema, raw, depth) : await hub.parse(schema, raw, envelopeDepth)) as T,
      )
  const charged = chargingCalls(hub, calls)
  const base = (name: string, action: ChargedAction) =>
    procedure.use(({ ctx, next, signal }) => charged(name, action, ctx, next, outcomeOf, signal))
  const postInput = parsed<typeof inputs.postLocation, PostLocationInput>(inputs.postLocation)
  const record = {
    postLocation: base('postLocation', 'post')
      .input(postInput)
      .mutation(({ ctx, input }) => withTRPCErrors(() => calls.post(ctx, input))),
    leaveRoom: base('leaveRoom', 'leave')
      .input(parsed<typeof inputs.leaveRoom, LeaveRoomInput>(inputs.leaveRoom))
      .mutation(({ ctx, input }) => withTRPCErrors(() => calls.leave(ctx, input))),
    getLocations: base('getLocations', 'read')
      .input(parsed<typeof inputs.getLocations, GetLocationsInput>(inputs.getLocations))
      .query(({ ctx, input }) => withTRPCErrors(() => calls.get(ctx, input))),
    countMembers: base('countMembers', 'read')
      .input(parsed<typeof inputs.countMembers, CountMembersInput>(inputs.countMembers))
      .query(({ ctx, input }) => withTRPCErrors(() => calls.count(ctx, input))),
    onLocation: base('onLocation', 'stream')
      .input(parsed<typeof inputs.onLocation, OnLocationInput>(inputs.onLocation))
      .subscription(({ ctx, input, signal }) =>
        withTRPCErrors(
          async () => new SubscriberIterable(await calls.subscribe(ctx, input, signal), { ...pumped, signal }),
        ),
      ),
  }
  if (hub.locks) Object.assign(record, lockRecord(base, inputs, parsed, calls))
  const { schemas } = hub.broadcasting
  if (schemas) Object.assign(record, broadcastRecord(base, schemas, parsed, calls))
  for (const each of Object.values(record)) hubs.set(setCallerAccess(each, calls), hub)
  noteRecord(record, hub.logger)
  markFrameQuery(record.getLocations)
  allowDirectPost(record.postLocation, procedure, directPost(calls, charged, postInput))
  return record as unknown as LocationRecord<T>
}

type Inputs = ReturnType<typeof procedureInputs>
type Base = (name: string, action: ChargedAction) => PlainBuilder
type Parsed = <S extends Schema, T>(schema: S) => (raw: unknown) => Promise<T>

/** Creates the procedures of a hub with locks. */
function lockRecord(
  base: Base,
  { lockLocation, unlockLocation }: Pick<Inputs, 'lockLocation' | 'unlockLocation'>,
  parsed: Parsed,
  { locks }: Procedures,
) {
  return {
    lockLocation: base('lockLocation', 'post')
      .input(parsed<Schema, LockLocationInput>(lockLocation))
      .mutation(({ ctx, input }) => withTRPCErrors(() => locks.lock(ctx, input))),
    unlockLocation: base('unlockLocation', 'post')
      .input(parsed<Schema, UnlockLocationInput>(unlockLocation))
      .mutation(({ ctx, input }) => withTRPCErrors(() => locks.unlock(ctx, input))),
  }
}

/** Creates the procedure of a hub with broadcasts. */
const broadcastRecord = (base: Base, schemas: BroadcastSchemas, parsed: Parsed, calls: Procedures) => ({
  broadcastToRoom: base('broadcastToRoom', 'broadcast')
    .input(parsed<Schema, BroadcastInput>(broadcastInput(schemas)))
    .mutation(({ ctx, input }) => withTRPCErrors(() => calls.broadcast(ctx, input))),
})

const hubs = new WeakMap<object, Hub>()

/**
 * Returns the hub of a procedure that `createLocationRouter` made, in any router; `undefined` for any other procedure.
 */
export const hubOf = (procedure: object): Hub | undefined => hubs.get(procedure)
/** Returns whether `createLocationRouter` made a procedure. */
export const isLocationProcedure = (procedure: object): boolean => hubs.has(procedure)

/** Returns whether all schemas of a hub parse synchronously. */
const isSynchronousHub = ({ location, profile, presence, broadcasting }: Hub) =>
  [location, profile, presence, ...Object.values(broadcasting.schemas ?? {})].every(
    (schema) => schema === false || isSynchronous(schema),
  )

const envelope = ({ id, event }: Frame) => tracked(id, frozen(event))

type BroadcastSchemas = Parameters<typeof broadcastInput>[0]
type PlainBuilder = ReturnType<typeof initTRPC.create>['procedure']
/** The levels of nesting that an input adds around a location. */
const envelopeDepth = 2
