import { createClient } from 'redis'
import type { Schema } from 'hereabouts'
import type { BroadcastSchemas } from '../../../src/shared/schema-types.js'
import type { Backend, Limits } from 'hereabouts/server'
import { redisBackend, type RedisBackendOptions } from 'hereabouts/server/redis'
import { serveLocations, type ServedLocations } from 'hereabouts/testing'
import { firstVisitor } from './crowd.js'
import type { CellTypes } from '../cell-types.js'

export type NodeClient = ReturnType<typeof createClient>

/** A server with its own Redis client. For the other servers it is like a separate process. */
export interface SharedNode extends AsyncDisposable {
  readonly url: string
  readonly served: ServedLocations<CellTypes>
  readonly client: NodeClient
}

export type NodeOptions = {
  timing?: { scale?: number }
  /** Uses the default reconnect delays of the Redis client, in place of 50 ms. */
  byDefault?: boolean
  /** `presence`, `broadcasts` and `locks` are passed to the hub. */
  presence?: Schema
  broadcasts?: BroadcastSchemas
  locks?: boolean
  limits?: Partial<Limits>
  /** Serves WebSockets too, not only SSE. */
  webSocket?: boolean
} & Partial<Pick<RedisBackendOptions, 'prefix' | 'timeoutMs' | 'pulseMs' | 'keepMs'>>

/** Connects a Redis client that reconnects after 50 ms, unless `byDefault` is set, to keep tests short. */
export async function redisClient(url: string, byDefault = false): Promise<NodeClient> {
  const client: NodeClient = createClient(byDefault ? { url } : { url, socket: { reconnectStrategy: 50 } })
  client.on('error', () => {})
  await client.connect()
  return client
}

export async function sharedNode(
  redisUrl: string,
  { timing, byDefault, presence, broadcasts, locks, limits = {}, webSocket = false, ...options }: NodeOptions = {},
): Promise<SharedNode> {
  const client = await redisClient(redisUrl, byDefault)
  const backend = redisBackend({ client, ...options })
  const features = { ...(presence && { presence }), ...(broadcasts && { broadcasts }), ...(locks && { locks }) }
  const given = { backend, webSocket, limits, ...(timing && { timing }), ...features }
  const served = await serveLocations(given as { backend: Backend })
  return {
    url: served.url,
    served,
    client,
    async [Symbol.asyncDispose]() {
      await served.close()
      client.destroy()
    },
  }
}

/** Starts several shared nodes. */
export async function sharedNodes(redisUrl: string, count: number, options?: NodeOptions): Promise<SharedNode[]> {
  return Promise.all(Array.from({ length: count }, () => sharedNode(redisUrl, options)))
}

/** Returns the status of a server's /readyz, as a load balancer sees it. */
export async function readiness({ url }: { url: string }): Promise<number> {
  return (await fetch(new URL('/readyz', url))).status
}

/** Posts as a visitor and returns the status. A post answered with 503 may still be stored, if Redis was only slow. */
export async function tryToPost({ url }: { url: string }, room: string): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ room, location: { sheet: 'Q3', row: 0, col: firstVisitor } })
  return (await fetch(`${url}/postLocation`, { method: 'POST', headers, body })).status
}
