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
import { LocationError, type LocationErrorCode } from '../../shared/errors.js'
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
import type { LocationEvent, Tracked } from '../../shared/events.js'
import type { Schema } from '../../shared/schema-types.js'
import { procedureInputs } from '../../shared/wire-schemas.js'
import type { Access } from '../access/gate.js'
import { Procedures, type ClientIp } from './procedures.js'
import type { Frame } from '../rooms/frames.js'
import { Hub, type LocationHub } from '../hub/hub.js'
import { parseInputSync } from '../validation/parse-input.js'
import { isSynchronous } from '../validation/plain-schema.js'
import { SubscriberIterable } from '../rooms/subscriber-iterable.js'
import type { ChargedAction } from '../access/rate-limits.js'

// Whatever the app's builder carries, we only add inputs and resolvers to it.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyBuilder = TRPCProcedureBuilder<any, any, any, any, any, any, any, false>
type CtxOf<B extends AnyBuilder> = inferProcedureBuilderResolverOptions<B>['ctx']

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
  const calls = new Procedures(hub, options, options.clientIp)
  if (!options.clientIp)
    hub.logger.warn('clientIp: nobody is limited by address, since it does not say whose a caller has.')
  const inputs = procedureInputs(hub.location, hub.profile)
  const depth = hub.limits.depth + envelopeDepth
  const isImmediate = isSynchronous(hub.location) && isSynchronous(hub.profile)
  const parsed =
    <S extends Schema, T>(schema: S) =>
    (raw: unknown): Promise<T> =>
      atEdge(
        async () =>
          (isImmediate ? parseInputSync(schema, raw, depth) : await hub.parse(schema, raw, envelopeDepth)) as T,
      )
  /** Charged before anything is made of the input, or asked of the app; and counted, whatever becomes of it. */
  const entered = (name: string, deed: ChargedAction) =>
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
  const postInput = parsed<typeof inputs.postLocation, PostLocationInput<unknown, unknown>>(inputs.postLocation)
  const record = {
    postLocation: entered('postLocation', 'post')
      .input(postInput)
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
      .subscription(({ ctx, input, signal }) =>
        atEdge(
          async () =>
            new SubscriberIterable(await calls.subscribe(ctx, input), { envelope, toError: toTrpcError, signal }),
        ),
      ),
  }
  for (const each of Object.values(record)) hubs.set(each, hub)
  if (isBare(procedure))
    shortcuts.set(record.postLocation, async (ctx, getRawInput) => {
      const startedAt = hub.clock.now()
      const count = (outcome: string) => hub.metrics.called('postLocation', outcome, hub.clock.now() - startedAt)
      try {
        calls.chargeAddress(ctx, 'post')
        const raw = await getRawInput()
        const input = await postInput(raw).catch(refuseInput)
        const output = await calls.post(ctx, input)
        count(output.outcome)
        return output
      } catch (error) {
        count(codeOf(error))
        throw toTrpcError(error)
      }
    })
  return record as unknown as LocationRecord<L, P>
}

const hubs = new WeakMap<object, Hub<unknown, unknown>>()

/** The hub behind a procedure that `createLocationRouter` made, in whatever router that is now; else `undefined`. */
export const hubOf = (procedure: object): Hub<unknown, unknown> | undefined => hubs.get(procedure)
/** Whether a procedure is one of ours. */
export const isLocationProcedure = (procedure: object): boolean => hubs.has(procedure)

/** Runs a procedure, given a context and what reads the input. */
export type Shortcut = (ctx: unknown, getRawInput: () => Promise<unknown>) => Promise<unknown>
const shortcuts = new WeakMap<object, Shortcut>()

/**
 * What a post comes to without tRPC's chain, where there is nothing in the chain but what we put there ourselves: no
 * middleware of the app. The chain copies its options four times over, which is a fifth of what a post costs.
 */
export const shortcutOf = (procedure: object): Shortcut | undefined => shortcuts.get(procedure)

function isBare({ _def }: PlainBuilder): boolean {
  const { middlewares, inputs, caller } = _def as unknown as Record<string, unknown[] | undefined>
  return middlewares?.length === 0 && inputs?.length === 0 && caller === undefined
}

/** As tRPC says it of an input. */
function refuseInput(cause: unknown): never {
  throw new TRPCError({ code: 'BAD_REQUEST', cause })
}

const envelope = ({ id, event }: Frame) => tracked(id, event)

type PlainBuilder = ReturnType<typeof initTRPC.create>['procedure']
/** What the envelope adds to the depth of a location. */
const envelopeDepth = 2

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
