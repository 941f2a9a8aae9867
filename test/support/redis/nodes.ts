import { createClient } from 'redis'
import type { Schema } from 'hereabouts'
import type { Backend } from 'hereabouts/server'
import { redisBackend, type RedisBackendOptions } from 'hereabouts/server/redis'
import { serveLocations, type ServedLocations } from 'hereabouts/testing'
import { firstVisitor } from './crowd.js'
import type { CellTypes } from '../cell-types.js'

export type NodeClient = ReturnType<typeof createClient>

/** A process, as far as the others can tell: a server with a Redis client of its own. */
export interface SharedNode extends AsyncDisposable {
  readonly url: string
  readonly served: ServedLocations<CellTypes>
  readonly client: NodeClient
}

export type NodeOptions = {
  timing?: { scale?: number }
  /** With a client as an app makes it, and not one that comes back sooner. */
  byDefault?: boolean
  /** With presence values by this schema. */
  presence?: Schema
  /** With WebSockets, beside SSE. */
  webSocket?: boolean
} & Partial<Pick<RedisBackendOptions, 'prefix' | 'timeoutMs' | 'pulseMs' | 'keepMs'>>

/** A client that comes back soon: a test has no time for the pauses of a default. */
export async function redisClient(url: string, byDefault = false): Promise<NodeClient> {
  const client: NodeClient = createClient(byDefault ? { url } : { url, socket: { reconnectStrategy: 50 } })
  client.on('error', () => {})
  await client.connect()
  return client
}

export async function sharedNode(
  redisUrl: string,
  { timing, byDefault, presence, webSocket = false, ...options }: NodeOptions = {},
): Promise<SharedNode> {
  const client = await redisClient(redisUrl, byDefault)
  const backend = redisBackend({ client, ...options })
  const served = await serveLocations({
    backend,
    webSocket,
    ...(timing && { timing }),
    ...(presence && { presence }),
  } as {
    backend: Backend
  })
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

/** Several of them. */
export async function sharedNodes(redisUrl: string, count: number, options?: NodeOptions): Promise<SharedNode[]> {
  return Promise.all(Array.from({ length: count }, () => sharedNode(redisUrl, options)))
}

/** The answer of a server to a load balancer. */
export async function readiness({ url }: { url: string }): Promise<number> {
  return (await fetch(new URL('/readyz', url))).status
}

/** How a post by a visitor is answered. A refused post may have been stored, by a Redis that was only slow to answer. */
export async function tryToPost({ url }: { url: string }, room: string): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ room, location: { sheet: 'Q3', row: 0, col: firstVisitor } })
  return (await fetch(`${url}/postLocation`, { method: 'POST', headers, body })).status
}
