import type { PostLocationInput } from '../../shared/call-types.js'
import type { ChargedAction } from '../access/rate-limits.js'
import { RefusalLog } from '../access/refusal-log.js'
import type { Hub } from '../hub/hub.js'
import { refuseInput, type DirectPost } from './direct-post.js'
import type { Procedures } from './procedures.js'
import { chargeOnce } from './socket-calls.js'
import { errorCodeOf, locationErrorIn, toTRPCError } from './trpc-errors.js'

/** Charges a call's address, runs the call, and counts its outcome. */
export type ChargedCall = ReturnType<typeof chargingCalls>

/**
 * Returns a function that charges the caller's address, runs a call and counts its outcome. Charging comes first, since
 * it needs neither the input nor the app.
 */
export function chargingCalls({ clock, logger, metrics }: Hub, calls: Procedures) {
  const refusals = new RefusalLog(clock, logger)
  return async <T>(
    name: string,
    action: ChargedAction,
    ctx: unknown,
    run: () => Promise<T>,
    toOutcome: (result: T) => string,
    signal?: AbortSignal,
  ): Promise<T> => {
    const startedAt = clock.now()
    const count = (outcome: string) => metrics.called(name, outcome, clock.now() - startedAt)
    let result: T
    try {
      chargeOnce(signal, 'address', () => calls.chargeAddress(ctx, action))
      result = await run()
    } catch (error) {
      count(errorCodeOf(error))
      noteRefusal(refusals, name, error)
      throw toTRPCError(error)
    }
    // tRPC's middleware chain returns an error instead of throwing it.
    if (isFailure(result)) noteRefusal(refusals, name, result.error)
    count(toOutcome(result))
    return result
  }
}

const isFailure = (result: unknown): result is { ok: false; error: unknown } =>
  typeof result === 'object' && result !== null && 'ok' in result && result.ok === false && 'error' in result

function noteRefusal(refusals: RefusalLog, call: string, error: unknown): void {
  const refusal = locationErrorIn(error)
  if (refusal) refusals.note(call, refusal.code, refusal.message)
}

/** Returns the outcome of a call of tRPC's middleware chain for metrics: the reply's `outcome`, `ok` when it has none, or the error's code. */
export const outcomeOf = (result: { ok: true; data: unknown } | { ok: false; error: unknown }): string => {
  if (!result.ok) return errorCodeOf(result.error)
  const { data } = result
  return typeof data === 'object' && data !== null && 'outcome' in data ? String(data.outcome) : 'ok'
}

/** Returns the function that runs a post without tRPC's middleware chain. */
export const directPost =
  (calls: Procedures, charged: ChargedCall, postInput: (raw: unknown) => Promise<PostLocationInput>): DirectPost =>
  (ctx, getRawInput) =>
    charged(
      'postLocation',
      'post',
      ctx,
      async () => calls.post(ctx, await postInput(await getRawInput()).catch(refuseInput)),
      ({ outcome }) => outcome,
    )
