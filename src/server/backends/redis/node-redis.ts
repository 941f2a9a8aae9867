import { refuseKeyPrefix } from './key-prefix.js'
import type { RedisPort } from './client-port.js'

/**
 * What we use of node-redis: of `createClient`, `createCluster` or `createSentinel`. Written out, so that the types of
 * this package do not depend on one version of it.
 */
export interface NodeRedisClient {
  readonly isOpen: boolean
  sendCommand(...args: never[]): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}
export interface NodeRedisSubscriber {
  connect(): Promise<unknown>
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  sUnsubscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  on(event: string, listener: () => void): unknown
  destroy(): void
}

/** Replies as they are by default, whatever the app has its own mapped to. */
const asText = { typeMapping: {} }

type Send = (...args: unknown[]) => Promise<unknown>

/**
 * Over a client of node-redis: commands go through it, subscriptions through a duplicate that is ours.
 *
 * @throws LocationError `misconfigured` for a client with a keyPrefix.
 */
export function nodeRedisPort(client: NodeRedisClient): RedisPort {
  refuseKeyPrefix(client)
  const send = client.sendCommand.bind(client) as Send
  const subscriber = client.duplicate()
  // An EventEmitter throws errors that nobody hears; those of a lost connection come as gaps, and it reconnects by itself.
  subscriber.on('error', () => {})
  let connecting: Promise<unknown> | undefined
  const isCluster = 'slots' in client
  return {
    isCluster,
    // A cluster is told the key, and whether a replica would do; a sentinel only the latter.
    send: (key, command) => {
      if (isCluster) return send(key, false, command, asText)
      return 'getMasterNode' in client ? send(false, command, asText) : send(command, asText)
    },
    async subscribe(channel, listener) {
      connecting ??= subscriber.connect().catch((error: unknown) => {
        connecting = undefined
        throw error
      })
      await connecting
      await subscriber.sSubscribe(channel, listener)
      return async () => void (await subscriber.sUnsubscribe(channel, listener))
    },
    onGap(listener) {
      // A client says ready when it is back; a cluster tells of its nodes, and of channels that moved with their slot.
      for (const event of ['ready', 'node-ready', 'sharded-channel-moved']) subscriber.on(event, listener)
    },
    async close() {
      if (connecting) subscriber.destroy()
    },
  }
}
