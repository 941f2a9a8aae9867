import {
  createLocationClient,
  LocationError,
  type LocationClient,
  type LocationErrorCode,
  type Member,
} from '../client/index.js'
import type { Clock } from '../server/index.js'
import type { LocationRouter } from '../server/standalone/index.js'
import type { BroadcastItem, Broadcasts, RoomTypes } from '../shared/index.js'
import { exitCode, Failure, notHere } from './failure.js'

/** The address of the server, and the options of each request. */
export type Target = {
  url: string
  /** The path of the location router in the app's router, such as `locations`. */
  path?: string
  header: Record<string, string>
  /** The longest wait for an answer of the server, in seconds. */
  timeout: number
}

/** The command line does not know the app's schemas: locations and profiles are any JSON, and the server validates them. */
export type AnyClient = LocationClient<RoomTypes>
export type AnyRoom = ReturnType<AnyClient['join']>
export type AnyWatch = ReturnType<AnyClient['watch']>
export type AnyMember = Member<RoomTypes>

export function clientOf({ url, path, header }: Target, clock: Clock): AnyClient {
  // The type of `path` is inferred from the router; here it is any text, given at run time.
  const client = createLocationClient<LocationRouter<RoomTypes>>({ url, path: path as '', headers: header, clock })
  return client as unknown as AnyClient
}

/**
 * Calls one mutation directly, so that the caller chooses the key and the lease. (A Room manages its own.)
 *
 * @throws LocationError with the server's error, or `network`; Failure when the address is not a location server.
 */
export async function mutate<T>(target: Target, procedure: string, input: object): Promise<T> {
  const headers = { 'content-type': 'application/json', ...target.header }
  return call<T>(target, procedure, { method: 'POST', headers, body: JSON.stringify(input) })
}

/** Calls one query directly. @throws LocationError and Failure as `mutate` does. */
export async function query<T>(target: Target, procedure: string, input: object): Promise<T> {
  return call<T>(target, `${procedure}?input=${encodeURIComponent(JSON.stringify(input))}`, { headers: target.header })
}

async function call<T>({ url, path, timeout }: Target, procedure: string, init: RequestInit): Promise<T> {
  const address = `${url.replace(/\/$/, '')}/${path ? `${path}.` : ''}${procedure}`
  const reply = await fetched(address, { ...init, signal: AbortSignal.timeout(timeout * 1_000) })
  if (reply.json?.result) return reply.json.result.data as T
  const error = reply.json?.error
  // An error of tRPC has a code. A 404 without one comes from another server.
  if (error?.message !== undefined && (error.data?.code || reply.status !== 404)) throw refusalOf(error, reply.status)
  if (reply.status >= 500) throw new LocationError('unavailable', `${url} answers ${reply.status}: try again later.`)
  throw new Failure(exitCode.refused, notHere(url))
}

/**
 * Calls `run` with every broadcast of a room. The command line cannot use `onBroadcast`, which needs the names of the
 * broadcasts.
 */
export function onAnyBroadcast(room: AnyWatch, run: (item: BroadcastItem) => void): void {
  const source = room as unknown as { on(event: 'broadcast', listener: (event: Broadcasts) => void): void }
  source.on('broadcast', ({ items }) => items.forEach(run))
}

type TrpcError = { message?: string; data?: { code?: string; retryAfterMs?: number } | null }

/** The part of tRPC's response envelope that is read here. */
type Envelope = { result?: { data?: unknown }; error?: TrpcError } | null

async function fetched(address: string, init: RequestInit): Promise<{ status: number; json: Envelope }> {
  try {
    const response = await fetch(address, init)
    const text = await response.text()
    return { status: response.status, json: parsed(text) }
  } catch (cause) {
    throw new LocationError('network', 'The server did not answer.', { cause })
  }
}

function parsed(text: string): Envelope {
  try {
    return JSON.parse(text) as Envelope
  } catch {
    return null
  }
}

/** Parses an error message. Our server's messages are `<code>: <sentence>`; an app's own messages have any form. */
function refusalOf({ message = '', data }: TrpcError, status: number): LocationError {
  const [, code, sentence] = /^([a-z-]+): (.+)/s.exec(message) ?? []
  // The message is read for servers whose errorFormatter drops the field. The pattern is anchored at the end, because a
  // message such as "within 5000 ms" does not say when to try again.
  const retryAfterMs = data?.retryAfterMs ?? Number(/\bagain in (\d+) ms\.?$/.exec(message)?.[1])
  const known = code !== undefined && !/\s/.test(code)
  return new LocationError(
    known ? (code as LocationErrorCode) : status >= 500 ? 'unavailable' : 'bad-input',
    known ? sentence! : message,
    retryAfterMs ? { retryAfterMs } : {},
  )
}
