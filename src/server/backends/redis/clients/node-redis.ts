import { refuseKeyPrefix } from './key-prefix.js'
import type { RedisPort } from './client-port.js'
import { Subscriptions, type SubscriberConnection } from './subscriptions.js'

/**
 * The part of a node-redis client (`createClient`, `createCluster` or `createSentinel`) that the backend uses. Declared
 * here, so that the types of this package do not depend on one version of node-redis.
 */
export interface NodeRedisClient {
  readonly isOpen: boolean
  /** Sends one command. Its parameters differ between a client, a cluster and a sentinel. */
  sendCommand(...args: never[]): Promise<unknown>
  /** Returns a second client with the same options, which the port owns and closes. */
  duplicate(): NodeRedisSubscriber
}
/** The part of a node-redis client that the port uses for subscriptions. */
export interface NodeRedisSubscriber {
  /** Connects, and reconnects by itself from then on. */
  connect(): Promise<unknown>
  /** Subscribes to a sharded channel. */
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  /** Ends a subscription. */
  sUnsubscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  /** Registers a listener of the client's events. */
  on(event: string, listener: () => void): unknown
  /** Closes the connection at once. */
  destroy(): void
}

/** Requests the default reply types, whatever type mapping the app has configured. */
const asText = { typeMapping: {} }

type Send = (...args: unknown[]) => Promise<unknown>

/**
 * Returns a port over a node-redis client. Commands use the client itself, subscriptions a duplicate that the port owns.
 *
 * @throws LocationError `misconfigured` for a client with a keyPrefix.
 */
export function nodeRedisPort(client: NodeRedisClient): RedisPort {
  refuseKeyPrefix(client)
  const send = client.sendCommand.bind(client) as Send
  const subscriptions = new Subscriptions((onGap) => connectionOf(client.duplicate(), onGap))
  const isCluster = 'slots' in client
  return {
    isCluster,
    // A cluster takes the key and whether a replica may answer; a sentinel takes only the latter.
    send: (key, command) => {
      if (isCluster) return send(key, false, command, asText)
      return 'getMasterNode' in client ? send(false, command, asText) : send(command, asText)
    },
    subscribe: (channel, listener) => subscriptions.subscribe(channel, listener),
    onGap: (listener) => subscriptions.onGap(listener),
    reconnect: () => subscriptions.reconnect(),
    close: async () => subscriptions.close(),
  }
}

function connectionOf(subscriber: NodeRedisSubscriber, onGap: () => void): SubscriberConnection {
  // An EventEmitter throws errors without a listener. The client reconnects by itself, and lost connections are
  // reported as gaps.
  subscriber.on('error', () => {})
  // A client emits `ready` after a reconnect; a cluster reports its nodes, and channels that moved with their slot.
  for (const event of ['ready', 'node-ready', 'sharded-channel-moved']) subscriber.on(event, onGap)
  let connecting: Promise<unknown> | undefined
  return {
    async subscribe(channel, listener) {
      connecting ??= subscriber.connect().catch((error: unknown) => {
        connecting = undefined
        throw error
      })
      await connecting
      await subscriber.sSubscribe(channel, listener)
      return () => subscriber.sUnsubscribe(channel, listener)
    },
    close() {
      try {
        if (connecting) subscriber.destroy()
      } catch {
        // Ignored: a client that has given up reconnecting is already closed, and `destroy` throws.
      }
    },
  }
}
