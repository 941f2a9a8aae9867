import type { TRPCError } from '@trpc/server'
import { procedureNames } from '../http/guard/call-owners.js'
import type { Logger } from '../options/logger.js'
import { locationErrorIn } from '../procedures/trpc-errors.js'

/** Returns an `onError` that logs internal errors: all others are the caller's. */
export function failureLogger(logger: Logger) {
  return ({ error, path = '', type }: { error: TRPCError; path: string | undefined; type: string }): void => {
    // An invalid identity, which is logged where it is found, and once: it fails every call of its member.
    if (procedureNames.includes(path) && locationErrorIn(error)?.code === 'misconfigured') return
    if (error.code === 'INTERNAL_SERVER_ERROR') logger.error('a procedure failed', { path, type, error })
  }
}
