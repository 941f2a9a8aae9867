import { tracked, TRPCError } from '@trpc/server'
import type {
  inferProcedureBuilderResolverOptions,
  initTRPC,
  TRPC_ERROR_CODE_KEY,
  TRPCMutationProcedure,
  TRPCProcedureBuilder,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from '@trpc/server'
import { LocationError, type LocationErrorCode } from '../shared/errors.js'
import {
  procedureInputs,
  type CountMembersInput,
  type CountMembersOutput,
  type GetLocationsInput,
  type GetLocationsOutput,
  type LeaveRoomInput,
  type LeaveRoomOutput,
  type LocationEvent,
  type OnLocationInput,
  type PostLocationInput,
  type PostLocationOutput,
  type Schema,
  type Tracked,
} from '../shared/protocol.js'
import { Gate, type Access, type Caller } from './access.js'
import { countedAs } from './address.js'
import type { Kept } from './backend.js'
import type { Frame } from './frame.js'
import { assertPosted, Hub, ownedError, type LocationHub } from './hub.js'
import { parse } from './inputs.js'
import { anonymousMemberIdOf, connectionIdOf, defaultConnectionIdOf, newKey } from './keys.js'
import type { Who } from './limits.js'
import type { LiveRoom } from './live-room.js'
import { Pump } from './pump.js'
import type { Deed } from './rates.js'

// Whatever the app's builder carries, we only add inputs and resolvers to it.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyBuilder = TRPCProcedureBuilder<any, any, any, any, any, any, any, false>
type CtxOf<B extends AnyBuilder> = inferProcedureBuilderResolverOptions<B>['ctx']

/** Whose address a caller has. `undefined`: nobody's that should be counted. */
export type ClientIp<Ctx> = (options: { ctx: Ctx }) => string | undefined

/** The procedures, as a plain record. A `type`, not an `interface`: tRPC wants an index signature. */
export type LocationRecord<L, P> = {
  postLocation: TRPCMutationProcedure<{ input: PostLocationInput<L, P>; output: PostLocationOutput; meta: unknown }>
  leaveRoom: TRPCMutationProcedure<{ input: LeaveRoomInput; output: LeaveRoomOutput; meta: unknown }>
  getLocations: TRPCQueryProcedure<{ input: GetLocationsInput; output: GetLocationsOutput<L, P>; meta: unknown }>
  countMembers: TRPCQueryProcedure<{ input: CountMembersInput; output: CountMembersOutput; meta: unknown }>
  onLocation: TRPCSubscriptionProcedure<{
    input: OnLocationInput
    output: AsyncIterable<Tracked<LocationEvent<L, P>>, void, unknown>
    meta: unknown
  }>
}

export type LocationRouterOptions<L, P, B extends AnyBuilder> = {
  hub: LocationHub<L, P>
  /** Your base procedure, with your context and middlewares. */
  procedure: B
  /**
   * The address of the caller's own machine, from your context: what limits per address go by. Behind a proxy, the one
   * that your proxy vouches for, never what the caller wrote. Default: nobody is limited by address.
   */
  clientIp?: ClientIp<CtxOf<B>>
} & Access<CtxOf<B>, NoInfer<P>>

/**
 * The five procedures over your own base procedure, to merge into your router:
 * `router({ locations: createLocationRouter({ hub, procedure, identify, authorize }) })`.
 *
 * @throws LocationError `misconfigured` without `identify` and `authorize`, or `anonymous: true` written out.
 */
export function createLocationRouter<L, P, B extends AnyBuilder>(
  options: LocationRouterOptions<L, P, B>,
): LocationRecord<L, P> {
  const { hub } = options
  if (!(hub instanceof Hub)) throw new LocationError('misconfigured', 'hub: give what createLocationHub() returned.')
  // The app's builder has types of its own, which are nothing to the resolvers below; the record's are written out above.
  const procedure = options.procedure as unknown as PlainBuilder
  const calls = new Calls(hub, options, options.clientIp)
  const inputs = procedureInputs(hub.location, hub.profile)
  const parsed =
    <S extends Schema, T>(schema: S) =>
    (raw: unknown): Promise<T> =>
      atEdge(async () => (await parse(schema, raw, hub.limits.depth + envelopeDepth)) as T)
  /** Charged before anything is made of the input, or asked of the app; and counted, whatever becomes of it. */
  const entered = (name: string, deed: Deed) =>
    procedure.use(async ({ ctx, next }) => {
      const startedAt = hub.clock.now()
      const count = (outcome: string) => hub.metrics.called(name, outcome, hub.clock.now() - startedAt)
      try {
        calls.chargeAddress(ctx, deed)
      } catch (error) {
        count(codeOf(error))
        throw toTrpcError(error)
      }
      const result = await next()
      count(result.ok ? outcomeOf(result.data) : codeOf(result.error.cause))
      return result
    })
  const record = {
    postLocation: entered('postLocation', 'post')
      .input(parsed<typeof inputs.postLocation, PostLocationInput<unknown, unknown>>(inputs.postLocation))
      .mutation(({ ctx, input }) => atEdge(() => calls.post(ctx, input))),
    leaveRoom: entered('leaveRoom', 'leave')
      .input(parsed<typeof inputs.leaveRoom, LeaveRoomInput>(inputs.leaveRoom))
      .mutation(({ ctx, input }) => atEdge(() => calls.leave(ctx, input))),
    getLocations: entered('getLocations', 'read')
      .input(parsed<typeof inputs.getLocations, GetLocationsInput>(inputs.getLocations))
      .query(({ ctx, input }) => atEdge(() => calls.get(ctx, input))),
    countMembers: entered('countMembers', 'read')
      .input(parsed<typeof inputs.countMembers, CountMembersInput>(inputs.countMembers))
      .query(({ ctx, input }) => atEdge(() => calls.count(ctx, input))),
    onLocation: entered('onLocation', 'stream')
      .input(parsed<typeof inputs.onLocation, OnLocationInput>(inputs.onLocation))
      .subscription(({ ctx, input, signal }) => atEdge(() => calls.subscribe(ctx, input, signal))),
  }
  for (const each of Object.values(record)) ours.add(each)
  return record as unknown as LocationRecord<L, P>
}

const ours = new WeakSet<object>()

/** Whether a procedure is one that `createLocationRouter` made, in whatever router it is now. */
export const isLocationProcedure = (procedure: object): boolean => ours.has(procedure)

/** Counting ten rooms costs as much as one query. */
const roomsPerRead = 10

type PlainBuilder = ReturnType<typeof initTRPC.create>['procedure']
/** What the envelope adds to the depth of a location. */
const envelopeDepth = 2

/** What each call comes to: who it is, whether they may, and the action in the room. */
class Calls {
  readonly #hub: Hub<unknown, unknown>
  readonly #gate: Gate<unknown>
  readonly #clientIp: ClientIp<unknown> | undefined

  constructor(hub: Hub<unknown, unknown>, access: Access<unknown, unknown>, clientIp: ClientIp<unknown> | undefined) {
    const { clock, logger, timing } = hub
    const parseProfile = (profile: unknown) => hub.parseProfile(profile)
    this.#hub = hub
    this.#clientIp = clientIp
    this.#gate = new Gate(access, { clock, logger, parseProfile, hookMs: timing.hookMs, recheckMs: timing.recheckMs })
    hub.onRevoke((memberId) => this.#gate.forget(memberId))
  }

  /** @throws LocationError `rate-limited` */
  chargeAddress(ctx: unknown, deed: Deed): void {
    this.#hub.rates.charge(deed, { memberId: null, address: this.#address(ctx) })
  }

  async post(ctx: unknown, input: PostLocationInput<unknown, unknown>): Promise<PostLocationOutput> {
    const hub = this.#hub
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { room, seq, activity } = input
    const leaseMs = hub.leaseOf(input.leaseMs)
    const location = hub.keepLocation(input.location)
    const profile = this.#profile(caller, input)
    const { made, ...poster } = posterOf(caller, input)
    this.#chargeMember(poster.memberId, 'post')
    await this.#gate.admit(ctx, caller, room, 'post')
    const who = { memberId: caller.memberId, address: this.#address(ctx) }
    const { outcome, id } = await hub.use(room, async (live) => {
      const seated = this.#seat(live, poster.connectionId, who)
      try {
        const outcome = await live.act({ type: 'post', ...poster, seq, location, profile, activity, leaseMs })
        assertPosted(outcome)
        await this.#takeBack(live, ctx, caller, poster.connectionId, generation)
        return { outcome, id: live.timeline.id(outcome.version) }
      } finally {
        seated()
      }
    })
    const mayKnow = outcome.outcome === 'applied' && (await this.#mayRead(ctx, caller, room))
    return {
      outcome: outcome.outcome,
      connectionId: poster.connectionId,
      memberId: outcome.memberId,
      seq: outcome.seq,
      ...(mayKnow && { id }),
      ...(made !== undefined && { connectionKey: made }),
    }
  }

  async leave(ctx: unknown, input: LeaveRoomInput): Promise<LeaveRoomOutput> {
    const { memberId } = await this.#gate.caller(ctx)
    this.#chargeMember(memberId, 'leave')
    const connectionId = leaverOf(memberId, input.connectionKey)
    const graceMs = Math.min(input.graceMs ?? 0, this.#hub.timing.graceMaxMs)
    const outcome = await this.#hub.act(input.room, { type: 'leave', connectionId, memberId, seq: input.seq, graceMs })
    if (outcome.type === 'owned') throw ownedError()
    return { outcome: outcome.type === 'leaving' ? 'leaving' : 'left' }
  }

  async get(ctx: unknown, { room, lastEventId }: GetLocationsInput): Promise<GetLocationsOutput<unknown, unknown>> {
    const caller = await this.#gate.caller(ctx)
    this.#chargeMember(caller.memberId, 'read')
    await this.#gate.admit(ctx, caller, room, 'read')
    return this.#hub.use(room, async (live) => {
      await live.catchUpWith(lastEventId)
      const { timeline, frames } = live
      const version = timeline.resumable(lastEventId)
      const { id, event } = version === null ? frames.snapshot() : frames.since(version)
      return { id, event }
    })
  }

  async count(ctx: unknown, { rooms }: CountMembersInput): Promise<CountMembersOutput> {
    const caller = await this.#gate.caller(ctx)
    // One was charged to the address before it was known how many rooms there are.
    const more = Math.floor(rooms.length / roomsPerRead)
    this.#hub.rates.charge('read', { memberId: null, address: this.#address(ctx) }, more)
    this.#chargeMember(caller.memberId, 'read', 1 + more)
    const count = async (room: string) => {
      await this.#gate.admit(ctx, caller, room, 'read')
      return { room, members: await this.#hub.use(room, ({ timeline }) => timeline.memberCount) }
    }
    return Promise.all(rooms.map(count))
  }

  async subscribe(ctx: unknown, input: OnLocationInput, signal: AbortSignal | undefined) {
    const hub = this.#hub
    const { room, connectionKey, lastEventId } = input
    const { generation } = this.#gate
    const caller = await this.#gate.caller(ctx)
    const { memberId, expiresAt } = caller
    this.#chargeMember(memberId, 'stream')
    await this.#gate.admit(ctx, caller, room, 'read', true)
    const address = this.#address(ctx)
    const connectionId = connectionKey === undefined ? null : connectionIdOf(connectionKey)
    const recheck = () => this.#mayRead(ctx, caller, room, true)
    const subscriber = await hub.subscribe(room, { connectionId, memberId, address, lastEventId, expiresAt, recheck })
    // Somebody's rights were taken away since we asked for these, when there was no stream yet that could be cut.
    if (this.#gate.generation !== generation && !(await recheck())) {
      subscriber.close()
      throw new LocationError('forbidden', 'You may no longer read this room: ask its owner for access.')
    }
    const envelope = ({ id, event }: Frame) => tracked(id, event)
    return new Pump(subscriber, { envelope, toError: toTrpcError, signal })
  }

  async #mayRead(ctx: unknown, caller: Caller, room: string, isFresh = false): Promise<boolean> {
    try {
      await this.#gate.admit(ctx, caller, room, 'read', isFresh)
      return true
    } catch (error) {
      if (error instanceof LocationError && error.code === 'forbidden') return false
      throw error
    }
  }

  /** Rights that were taken away while a post was under way would let a new connection in behind the revocation. */
  async #takeBack(live: LiveRoom, ctx: unknown, caller: Caller, connectionId: string, generation: number) {
    if (this.#gate.generation === generation) return
    try {
      await this.#gate.admit(ctx, caller, live.id, 'post', true)
    } catch (error) {
      await live.act({ type: 'leave', connectionId, memberId: caller.memberId, seq: undefined, graceMs: 0 })
      throw error
    }
  }

  #chargeMember(memberId: string | null, deed: Deed, cost = 1): void {
    this.#hub.rates.charge(deed, { memberId, address: null }, cost)
  }

  /** As whom the caller's address is counted. A hook that throws hurts only its caller. */
  #address(ctx: unknown): string | null {
    try {
      return countedAs(this.#clientIp?.({ ctx }))
    } catch (cause) {
      this.#hub.logger.warn('clientIp() threw', { error: cause })
      throw new LocationError('unavailable', 'Limits could not be checked: try again.', { cause })
    }
  }

  /** Charges for a connection that is not there yet, and finds it a seat. Call what it returns when the post is through. */
  #seat(live: LiveRoom, connectionId: string, who: Who): () => void {
    const isThere = () => live.timeline.connection(connectionId) !== undefined
    if (isThere()) return () => {}
    this.#hub.rates.charge('connect', who)
    let isUnderWay = true
    this.#hub.seats.take(who, live.id, { isConnection: true, isHeld: () => isUnderWay || isThere() })
    return () => (isUnderWay = false)
  }

  /** What `identify` says of a member is their profile; only where it says nothing, the member does. */
  #profile(caller: Caller, { profile }: PostLocationInput<unknown, unknown>): Kept | undefined {
    return caller.profile ?? (profile === undefined ? undefined : this.#hub.keepProfile(profile))
  }
}

/** Whose connection leaves: a member without a key has the one that they post with. */
function leaverOf(memberId: string | null, connectionKey: string | undefined): string {
  if (connectionKey !== undefined) return connectionIdOf(connectionKey)
  if (memberId !== null) return defaultConnectionIdOf(memberId)
  throw new LocationError('bad-input', 'connectionKey: say which connection leaves, by the key it posts with.')
}

/** Whose connection a post is for. `made`: a key for someone who came without. */
function posterOf(caller: Caller, { connectionKey, memberKey }: PostLocationInput<unknown, unknown>) {
  if (caller.memberId !== null) {
    const { memberId } = caller
    const connectionId = connectionKey === undefined ? defaultConnectionIdOf(memberId) : connectionIdOf(connectionKey)
    return { connectionId, memberId, owned: true, made: undefined }
  }
  const made = connectionKey === undefined ? newKey() : undefined
  const key = connectionKey ?? made!
  // Whoever holds the key is the connection. A memberKey left out means the member that it already is.
  const owned = memberKey !== undefined
  return { connectionId: connectionIdOf(key), memberId: anonymousMemberIdOf(memberKey ?? key), owned, made }
}

const trpcCodes: Record<LocationErrorCode, TRPC_ERROR_CODE_KEY> = {
  'bad-input': 'BAD_REQUEST',
  'too-large': 'PAYLOAD_TOO_LARGE',
  'rate-limited': 'TOO_MANY_REQUESTS',
  unauthorized: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  'connection-owned': 'FORBIDDEN',
  'room-full': 'TOO_MANY_REQUESTS',
  unavailable: 'SERVICE_UNAVAILABLE',
  network: 'SERVICE_UNAVAILABLE',
  closed: 'SERVICE_UNAVAILABLE',
  misconfigured: 'INTERNAL_SERVER_ERROR',
}

/** What is counted: what a post came to, or `ok`; and of what went wrong, our code, or that it was not ours. */
const outcomeOf = (data: unknown) =>
  typeof data === 'object' && data !== null && 'outcome' in data ? String(data.outcome) : 'ok'
function codeOf(error: unknown): string {
  if (error instanceof LocationError) return error.code
  // tRPC puts an error of its own around one of an input.
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : 'other'
}

/** The code leads the message: that much every app's errorFormatter lets through. */
function toTrpcError(error: unknown): Error {
  if (!(error instanceof LocationError)) return error as Error
  return new TRPCError({ code: trpcCodes[error.code], message: `${error.code}: ${error.message}`, cause: error })
}

async function atEdge<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toTrpcError(error)
  }
}
