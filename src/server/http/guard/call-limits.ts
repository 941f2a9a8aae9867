import { defaultLimits, type Limits } from '../../options/limits.js'
import { isDeeperThan } from '../../validation/parse-input.js'
import { originRulesOf, type OriginOptions, type Refusal } from './origin-check.js'
import { guardRequest, refuse, type GuardRequest, type GuardResponse } from './request-check.js'

/** The limits of a request that calls only location procedures. */
export type RequestLimits = Pick<Limits, 'bodyBytes' | 'batch' | 'depth'>

/**
 * The owner of the procedure that a call names: a location procedure, one of the app's own, or none. Each call of an
 * unknown procedure is answered with an error, so such calls are limited like calls of location procedures.
 */
export type CallOwner = { limits: RequestLimits; isQuery: boolean } | 'app' | 'none'

type OwnCall = { index: number; limits: RequestLimits; isQuery: boolean }

/**
 * Returns a guard for requests that call location procedures.
 *
 * @param ownersOf returns the owners of the calls that a request makes.
 * @returns a function that returns how many bytes the body may have (`Infinity` for requests that it does not guard), or
 * answers the request and returns null.
 * @throws LocationError `misconfigured` when `origins` or `allowedHosts` has a wrong entry.
 */
export function guardProcedures(ownersOf: (request: GuardRequest) => CallOwner[], options: OriginOptions) {
  const rules = originRulesOf(options)
  return (request: GuardRequest, response: GuardResponse): number | null => {
    const owners = ownersOf(request)
    const own = owners.flatMap((owner, index): OwnCall[] => (typeof owner === 'string' ? [] : [{ index, ...owner }]))
    // When a batch also calls the app's own procedures, the app decides about its size; the origin check still applies.
    const isBounded = !owners.includes('app')
    if (own.length === 0 && !isBounded) return Infinity
    const limits = own[0]?.limits ?? defaultLimits
    const bodyBytes = isBounded ? limits.bodyBytes : Infinity
    const check = () =>
      jsonLinesRefusal(request, () => own) ??
      batchRefusal(isBounded ? owners.length : own.length, limits) ??
      depthRefusal(request, owners.length, own, limits)
    if (own.length > 0) return guardRequest(request, response, rules, { bodyBytes, check }) ? bodyBytes : null
    const refusal = check()
    if (refusal) refuse(refusal, request, response)
    return refusal ? null : bodyBytes
  }
}

/**
 * Refuses to answer queries that may have large answers as JSON lines. tRPC sends JSON lines through a
 * `TextEncoderStream`, which occupies Node 20 for 70 ms for each 0.85 MB, ten times as long as Node 24.
 */
export function jsonLinesRefusal(
  { headers }: Pick<GuardRequest, 'headers'>,
  calls: () => readonly { isQuery: boolean }[],
): Refusal | null {
  if (!asksForJsonLines(headers) || !calls().some(({ isQuery }) => isQuery)) return null
  const message =
    'bad-input: Queries of locations are not answered as application/jsonl: use httpBatchLink or httpLink for them.'
  return { code: 'BAD_REQUEST', message }
}

/** Reads the headers as tRPC does: `trpc-accept` is decisive when it is present. */
function asksForJsonLines({ 'trpc-accept': trpcAccept, accept }: GuardRequest['headers']): boolean {
  if (trpcAccept !== undefined) return String(trpcAccept) === 'application/jsonl'
  return String(accept ?? '')
    .split(',')
    .some((type) => type.trim() === 'application/jsonl')
}

function batchRefusal(calls: number, { batch }: RequestLimits): Refusal | null {
  if (calls <= batch) return null
  return { code: 'BAD_REQUEST', message: `bad-input: A batch may have at most ${batch} calls: send several batches.` }
}

/**
 * Refuses a body that an earlier middleware has parsed and that is nested too deeply: tRPC serializes and parses the
 * body again, and neither step limits the depth.
 */
function depthRefusal({ body }: GuardRequest, calls: number, own: OwnCall[], { depth }: RequestLimits): Refusal | null {
  const inputs = own.length === calls ? [body] : own.map(({ index }) => (body as Record<number, unknown> | undefined)?.[index]) // prettier-ignore
  if (!inputs.some((input) => isDeeperThan(input, depth + envelopeLevels))) return null
  return { code: 'BAD_REQUEST', message: 'bad-input: The input is nested too deeply.' }
}

/** The levels that a batch and the input's envelope add to the depth of a location. */
const envelopeLevels = 4
