import type { Script } from '../script.js'

/** The operations that the backend needs of a Redis client. Implement it to use another client. */
export interface RedisPort {
  /** True when keys are spread over several masters, each of which may be unreachable by itself. */
  readonly isCluster: boolean
  /**
   * Sends one command to the master of `key` and resolves with the raw reply. When Redis replies with an error, rejects
   * with an Error that has the same message.
   */
  send(key: string, command: string[]): Promise<unknown>
  /**
   * Subscribes to a sharded channel, and resolves when subscribed, with a function that unsubscribes. The subscription
   * survives reconnects.
   */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>
  /** Calls `listener` when messages may have been missed: a subscriber connection was lost and replaced. */
  onGap(listener: () => void): void
  /**
   * Replaces the subscribing connection by a new one, with all its subscriptions. Called when announcements do not
   * arrive although Redis answers: the connection may be dead without either side knowing. Rejects when a channel could
   * not be subscribed to. Without this method, the backend only reports that it is not ready when announcements do not
   * arrive.
   */
  reconnect?(): Promise<void>
  /** Closes the connections that this port opened, never the client that it was given. */
  close(): Promise<void>
}

/** Runs a script by its digest or, when Redis has not cached it (new, restarted, promoted or flushed), by its source. */
export async function run(port: RedisPort, script: Script, keys: string[], args: string[]): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await port.send(keys[0]!, ['EVALSHA', script.sha1, ...rest])
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return port.send(keys[0]!, ['EVAL', script.source, ...rest])
  }
}
