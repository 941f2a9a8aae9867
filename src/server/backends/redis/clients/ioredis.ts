import { checkIoredisClient } from '../redis-options.js'
import { refuseKeyPrefix } from './key-prefix.js'
import type { RedisPort } from './client-port.js'
import { Subscriptions, type SubscriberConnection } from './subscriptions.js'

/** The part of an ioredis client that the backend uses: `new Redis()` or `new Cluster(nodes, { shardedSubscribers: true })`. */
export interface IoredisClient {
  readonly isCluster?: boolean
  /** Sends one command. */
  call(command: string, ...args: string[]): Promise<unknown>
  /** Returns a second client with the same options, which the port owns and closes. */
  duplicate(): IoredisSubscriber
}
/** The part of an ioredis client that the port uses for subscriptions. */
export interface IoredisSubscriber {
  /** Subscribes to a sharded channel. */
  ssubscribe(channel: string): Promise<unknown>
  /** Ends a subscription. */
  sunsubscribe(channel: string): Promise<unknown>
  /** Registers a listener of the client's events. */
  on(event: string, listener: (channel: string, message: string) => void): unknown
  /** Closes the connection at once. */
  disconnect(): void
}

/**
 * Returns a port over an ioredis client, for `redisBackend({ port: ioredisPort(client) })`.
 *
 * @throws LocationError `misconfigured` for a client with a keyPrefix, and for a cluster without sharded subscribers or
 * that reads from replicas.
 */
export function ioredisPort(client: IoredisClient): RedisPort {
  checkIoredisClient(client)
  refuseKeyPrefix(client)
  const subscriptions = new Subscriptions((onGap) => connectionOf(client.duplicate(), onGap))
  return {
    isCluster: client.isCluster === true,
    // ioredis routes by the key that it finds in the command.
    send: (_key, [name, ...args]) => client.call(name!, ...args),
    subscribe: (channel, listener) => subscriptions.subscribe(channel, listener),
    onGap: (listener) => subscriptions.onGap(listener),
    reconnect: () => subscriptions.reconnect(),
    close: async () => subscriptions.close(),
  }
}

function connectionOf(subscriber: IoredisSubscriber, onGap: () => void): SubscriberConnection {
  const listeners = new Map<string, (message: string) => void>()
  // An EventEmitter throws errors without a listener. The client reconnects by itself.
  subscriber.on('error', () => {})
  subscriber.on('ready', onGap)
  subscriber.on('smessage', (channel: string, message: string) => listeners.get(channel)?.(message))
  return {
    async subscribe(channel, listener) {
      listeners.set(channel, listener)
      await subscriber.ssubscribe(channel)
      return async () => {
        // The channel may have been subscribed to again since. The newer subscription must stay.
        if (listeners.get(channel) !== listener) return
        listeners.delete(channel)
        await subscriber.sunsubscribe(channel)
      }
    },
    close: () => subscriber.disconnect(),
  }
}
