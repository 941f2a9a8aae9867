import { TRPCError, type AnyTRPCProcedure, type AnyTRPCRouter } from '@trpc/server'
import { parseTRPCMessage } from '@trpc/server/rpc'
import { LocationError } from '../../shared/errors.js'
import { isLocationProcedure } from '../procedures/router.js'
import type { SocketEnvironment } from './socket-environment.js'

/** One call of a location procedure. */
export type OwnCall = {
  id: number | string
  jsonrpc: '2.0' | undefined
  type: 'mutation' | 'query' | 'subscription'
  path: string
  procedure: AnyTRPCProcedure
  input: unknown
}

/** One message, in the order in which the client sent them. Kind `app`: for tRPC, as it was parsed. */
export type Item =
  | { kind: 'own'; call: OwnCall }
  | { kind: 'stop'; id: number | string; raw: unknown }
  | { kind: 'app'; raw: unknown; id: number | string | null; isSubscription: boolean }

export type Messages = {
  items: Item[]
  /** The number of queries and mutations. */
  calls: number
  /** The ids of all requests, so that each of them can be answered. */
  ids: (number | string)[]
}

/** The longest text that may be a request's id, in bytes. */
const longestId = 64

/** Thrown when the id of a request is too long, or is a number that is not an integer. */
export class BadId extends Error {}

/**
 * Sorts messages into calls of location procedures and others.
 *
 * @returns null when a message is not valid: then tRPC answers all of them.
 * @throws BadId
 */
export function sortMessages(parsed: unknown, router: AnyTRPCRouter): Messages | null {
  const messages: Messages = { items: [], calls: 0, ids: [] }
  try {
    for (const raw of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed])
      messages.items.push(itemOf(raw, router, messages))
    return messages
  } catch (error) {
    if (error instanceof BadId) throw error
    return null
  }
}

function itemOf(raw: unknown, router: AnyTRPCRouter, messages: Messages): Item {
  const message = parseTRPCMessage(raw, router._def._config.transformer)
  const { id, jsonrpc, method: type } = message
  if (id === null) return { kind: 'app', raw, id, isSubscription: false }
  assertId(id)
  if (type === 'subscription.stop') return { kind: 'stop', id, raw }
  messages.ids.push(id)
  if (type !== 'subscription') messages.calls += 1
  const { path, lastEventId, input } = message.params
  const procedure = procedureAt(path, router)
  if (!procedure || !isLocationProcedure(procedure) || procedure._def.type !== type)
    return { kind: 'app', raw, id, isSubscription: type === 'subscription' }
  return { kind: 'own', call: { id, jsonrpc, type, path, procedure, input: withLastEventId(input, lastEventId) } }
}

function assertId(id: number | string): void {
  if (typeof id === 'number' ? Number.isSafeInteger(id) : id.length <= longestId && Buffer.byteLength(id) <= longestId)
    return
  throw new BadId()
}

function procedureAt(path: string, router: AnyTRPCRouter): AnyTRPCProcedure | undefined {
  const procedures = router._def.procedures as Record<string, AnyTRPCProcedure>
  return Object.hasOwn(procedures, path) ? procedures[path] : undefined
}

/** Adds the id from which to resume to the input, as tRPC does. */
function withLastEventId(input: unknown, lastEventId: string | undefined): unknown {
  if (lastEventId === undefined) return input
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input, lastEventId }
  return input ?? { lastEventId }
}

/** Returns the number of subscriptions that messages open in the app. */
export const subscriptionsIn = (items: readonly Item[]): number =>
  items.filter((item) => item.kind === 'app' && item.isSubscription && item.id !== null).length

/** Returns an error when a text message holds too many calls or bytes; null when it does not. */
export function sizeRefusal(
  { items, calls }: Messages,
  bytes: number,
  { maxBatchSize = Infinity, limits }: Pick<SocketEnvironment, 'maxBatchSize' | 'limits'>,
): Error | null {
  const hasOwn = items.some(({ kind }) => kind === 'own')
  const ownCalls = items.filter((item) => item.kind === 'own' && item.call.type !== 'subscription').length
  if (items.length > 1 && ownCalls > limits.batch)
    return new LocationError('bad-input', `A message may have at most ${limits.batch} calls: send several messages.`)
  if (items.length > 1 && calls > maxBatchSize)
    return new TRPCError({ code: 'BAD_REQUEST', message: 'Batch call exceeds maximum size' })
  const maxBytes = limits.bodyBytes * items.length
  if (hasOwn && items.every(({ kind }) => kind !== 'app') && bytes > maxBytes)
    return new LocationError('too-large', `The message has more than ${maxBytes} bytes: send less.`)
  return null
}
