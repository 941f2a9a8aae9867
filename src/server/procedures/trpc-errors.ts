import { TRPCError, type TRPC_ERROR_CODE_KEY, type TRPCDefaultErrorShape } from '@trpc/server'
import { LocationError, type LocationErrorCode } from '../../shared/errors.js'

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

/**
 * Converts a LocationError to a TRPCError with the right status, and returns any other error as it is. The location
 * procedures do this themselves; call it where your own procedures use the hub:
 *
 * ```ts
 * await hub.room(id).post(member, location).catch((error) => { throw toTRPCError(error) })
 * ```
 *
 * The message begins with the code (`rate-limited: Too many ...`), because every app's errorFormatter keeps the
 * message. The LocationError is the `cause`: your errorFormatter can send its `retryAfterMs` as `data.retryAfterMs`, as
 * `createLocationServer` does.
 */
export function toTRPCError(error: unknown): Error {
  if (!(error instanceof LocationError)) return error as Error
  return new TRPCError({ code: trpcCodes[error.code], message: `${error.code}: ${error.message}`, cause: error })
}

/** Runs `work` and converts the error that it throws. */
export async function withTRPCErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toTRPCError(error)
  }
}

/** Returns the code of a LocationError, even if tRPC or this package has wrapped it; `other` for any other error. */
export function errorCodeOf(error: unknown): string {
  return locationErrorIn(error)?.code ?? 'other'
}

/** Returns the LocationError that an error is or wraps. */
export function locationErrorIn(error: unknown): LocationError | undefined {
  if (error instanceof LocationError) return error
  // tRPC wraps the error of an input in a TRPCError of its own.
  return error instanceof Error && error.cause !== undefined ? locationErrorIn(error.cause) : undefined
}

/** tRPC's default error shape, with the wait of a rate-limited call in milliseconds. */
export type LocationErrorShape = TRPCDefaultErrorShape & { data: { retryAfterMs?: number } }

/** Adds `data.retryAfterMs` to the shape of an error that has it. */
export function withRetryAfterMs(shape: TRPCDefaultErrorShape, error: unknown): LocationErrorShape {
  const retryAfterMs = retryAfterMsOf(error)
  return retryAfterMs === undefined ? shape : { ...shape, data: { ...shape.data, retryAfterMs } }
}

/** Returns the time after which the caller may try again, in milliseconds, if the error has one. */
export const retryAfterMsOf = (error: unknown): number | undefined => locationErrorIn(error)?.retryAfterMs
