import type { Script } from './script.js'

/** What the backend needs of a Redis client; an adapter for another client is a page. */
export interface RedisPort {
  /** Keys live in several places, of which one may be away by itself. */
  readonly isCluster: boolean
  /** Sends one command to where `key` lives, and gives the reply as it is. Errors of Redis reject, with its words. */
  send(key: string, command: string[]): Promise<unknown>
  /** Listens on a sharded channel, over lost connections too, from when this resolves. Returns what ends it. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>
  /** Hears that messages may have been missed: a subscribing connection was lost, and there is a new one. */
  onGap(listener: () => void): void
  /** Ends what this port opened, and nothing that it was given. */
  close(): Promise<void>
}

/** Runs a script by its name; by its text where Redis does not know it: new, restarted, promoted, or told to forget. */
export async function run(port: RedisPort, script: Script, keys: string[], args: string[]): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await port.send(keys[0]!, ['EVALSHA', script.sha1, ...rest])
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return port.send(keys[0]!, ['EVAL', script.source, ...rest])
  }
}
