import { refuseKeyPrefix } from './key-prefix.js'
import type { RedisPort } from './client-port.js'

/** The part of an ioredis client that the backend uses: `new Redis()` or `new Cluster(nodes, { shardedSubscribers: true })`. */
export interface IoredisClient {
  readonly isCluster?: boolean
  call(command: string, ...args: string[]): Promise<unknown>
  duplicate(): IoredisSubscriber
}
export interface IoredisSubscriber {
  ssubscribe(channel: string): Promise<unknown>
  sunsubscribe(channel: string): Promise<unknown>
  on(event: string, listener: (channel: string, message: string) => void): unknown
  disconnect(): void
}

/**
 * Returns a port over an ioredis client, for `redisBackend({ port: ioredisPort(client) })`.
 *
 * @throws LocationError `misconfigured` for a client with a keyPrefix.
 */
export function ioredisPort(client: IoredisClient): RedisPort {
  refuseKeyPrefix(client)
  const subscriber = client.duplicate()
  const listeners = new Map<string, Set<(message: string) => void>>()
  subscriber.on('error', () => {})
  subscriber.on('smessage', (channel: string, message: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(message)
  })
  return {
    isCluster: client.isCluster === true,
    // ioredis routes by the key that it finds in the command.
    send: (_key, [name, ...args]) => client.call(name!, ...args),
    async subscribe(channel, listener) {
      const ofChannel = listeners.get(channel) ?? new Set()
      listeners.set(channel, ofChannel.add(listener))
      await subscriber.ssubscribe(channel)
      return async () => {
        ofChannel.delete(listener)
        if (ofChannel.size > 0) return
        listeners.delete(channel)
        await subscriber.sunsubscribe(channel)
      }
    },
    onGap: (listener) => void subscriber.on('ready', listener),
    async close() {
      subscriber.disconnect()
    },
  }
}
